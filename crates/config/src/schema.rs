pub fn schema() -> String {
    String::new()
}

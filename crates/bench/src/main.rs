//! The program behind `cargo xtask bench`.

fn main() -> std::process::ExitCode {
    bench::main()
}

//! The compiled address lists of a snapshot. A list is compiled once, and its table is kept while no entry changes.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use balance::AddressTable;
use model::{AccessList, Cidr};

/// All tables of a snapshot, each with the list from which it was compiled.
///
/// The reference to the list is weak, because a list of a million entries takes 48 MB. The config owns the list. While
/// that config exists, the next compilation can compare its own lists with it.
#[derive(Debug, Default)]
pub(super) struct AddressTables(Vec<(Weak<AccessList>, Arc<AddressTable>)>);

/// Compiles the lists of one config.
pub(super) struct TableCompiler<'a> {
    previous: HashMap<Shape, Vec<Known<'a>>>,
    /// Indices in `compiled`. Listeners share the list of their load balancer, which is one `Arc`.
    positions: HashMap<*const AccessList, usize>,
    compiled: AddressTables,
}

/// The number of entries, and the first and the last range. Only lists of the same shape are compared entry by entry.
type Shape = (usize, Option<Cidr>, Option<Cidr>);

struct Known<'a> {
    list: Arc<AccessList>,
    table: &'a Arc<AddressTable>,
}

impl<'a> TableCompiler<'a> {
    pub(super) fn new(previous: Option<&'a AddressTables>) -> Self {
        let mut known: HashMap<Shape, Vec<Known<'a>>> = HashMap::new();
        for (list, table) in previous.into_iter().flat_map(|previous| &previous.0) {
            if let Some(list) = list.upgrade() {
                known.entry(shape(&list)).or_default().push(Known { list, table });
            }
        }
        Self { previous: known, positions: HashMap::new(), compiled: AddressTables::default() }
    }

    /// Returns the table of a previous list with the same entries, or compiles the list.
    pub(super) fn table(&mut self, list: Option<&Arc<AccessList>>) -> Option<Arc<AddressTable>> {
        let list = list?;
        let compiled = &mut self.compiled.0;
        if let Some((_, table)) = self.positions.get(&Arc::as_ptr(list)).and_then(|&at| compiled.get(at)) {
            return Some(Arc::clone(table));
        }
        let mut previous = self.previous.get(&shape(list)).into_iter().flatten();
        let same = previous.find(|known| Arc::ptr_eq(&known.list, list) || known.list == *list);
        let table =
            same.map_or_else(|| Arc::new(AddressTable::compile(list)), |known| Arc::clone(known.table));
        self.positions.insert(Arc::as_ptr(list), compiled.len());
        compiled.push((Arc::downgrade(list), Arc::clone(&table)));
        Some(table)
    }

    pub(super) fn finish(self) -> AddressTables {
        self.compiled
    }
}

fn shape(list: &AccessList) -> Shape {
    let range = |entry: &model::AccessEntry| entry.range;
    (list.entries.len(), list.entries.first().map(range), list.entries.last().map(range))
}

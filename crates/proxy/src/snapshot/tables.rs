//! The compiled address lists of a snapshot. Each list is compiled once, and kept while its entries stay the same.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use balance::AddressTable;
use model::{AccessList, Cidr};

/// Every table of a snapshot, with the list that it was compiled from.
///
/// The list is held weakly, because a list of a million entries takes 48 MB. The next compilation recognises it while
/// the config that it belongs to exists.
#[derive(Debug, Default)]
pub(super) struct AddressTables(Vec<(Weak<AccessList>, Arc<AddressTable>)>);

/// Compiles the lists of one config.
pub(super) struct TableCompiler<'a> {
    previous: HashMap<Shape, Vec<Known<'a>>>,
    /// The position in `compiled`. Listeners share a list by its `Arc`.
    positions: HashMap<*const AccessList, usize>,
    compiled: AddressTables,
}

/// Differs for most lists that differ, so that few lists are compared entry by entry.
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

    /// Returns the table of this list: that of a previous list with the same entries, or a new one.
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

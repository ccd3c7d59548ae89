//! Directed graphs: strongly connected parts, and which imports to cut so that there is none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The strongly connected components with more than one node, the largest first (Tarjan's algorithm).
pub(crate) fn components(nodes: usize, edges: &BTreeSet<(usize, usize)>) -> Vec<BTreeSet<usize>> {
    let mut search = Search {
        next: vec![Vec::new(); nodes],
        index: vec![None; nodes],
        low: vec![0; nodes],
        on_stack: vec![false; nodes],
        stack: Vec::new(),
        count: 0,
        found: Vec::new(),
    };
    for &(from, to) in edges {
        search.next[from].push(to);
    }
    for node in 0..nodes {
        if search.index[node].is_none() {
            search.visit(node);
        }
    }
    search.found.sort_by_key(|component| std::cmp::Reverse(component.len()));
    search.found
}

struct Search {
    next: Vec<Vec<usize>>,
    /// In which order nodes were reached.
    index: Vec<Option<usize>>,
    /// The earliest node that can be reached and is on the stack.
    low: Vec<usize>,
    on_stack: Vec<bool>,
    stack: Vec<usize>,
    count: usize,
    found: Vec<BTreeSet<usize>>,
}

impl Search {
    fn visit(&mut self, node: usize) {
        let index = self.count;
        self.count += 1;
        (self.index[node], self.low[node], self.on_stack[node]) = (Some(index), index, true);
        self.stack.push(node);
        for next in self.next[node].clone() {
            match self.index[next] {
                None => {
                    self.visit(next);
                    self.low[node] = self.low[node].min(self.low[next]);
                }
                Some(reached) if self.on_stack[next] => self.low[node] = self.low[node].min(reached),
                Some(_) => {}
            }
        }
        if self.low[node] != index {
            return;
        }
        let mut component = BTreeSet::new();
        while let Some(member) = self.stack.pop() {
            self.on_stack[member] = false;
            component.insert(member);
            if member == node {
                break;
            }
        }
        if component.len() > 1 {
            self.found.push(component);
        }
    }
}

/// A small set of items without whose imports the component has no circle; `imports` has the items of each edge. Those of
/// the edges that point backwards in an order of the nodes, which is improved by moving one node at a time, from
/// several beginnings. The smallest set is too hard to find.
pub(crate) fn cut(
    component: &BTreeSet<usize>,
    imports: &BTreeMap<(usize, usize), BTreeSet<usize>>,
) -> BTreeSet<usize> {
    let ascending: Vec<usize> = component.iter().copied().collect();
    let descending: Vec<usize> = component.iter().rev().copied().collect();
    // Importing much and being imported by few belongs to the front.
    let mut by_use = ascending.clone();
    by_use.sort_by_key(|&node| {
        let count =
            |end: fn(&(usize, usize)) -> usize| imports.keys().filter(|edge| end(edge) == node).count();
        count(|edge| edge.1) as isize - count(|edge| edge.0) as isize
    });
    let orders = [by_use, ascending, descending].map(|order| improved(order, imports));
    orders.iter().map(|order| backwards(order, imports)).min_by_key(BTreeSet::len).unwrap_or_default()
}

/// Moves one node after the other to its best place until none is better elsewhere.
fn improved(mut order: Vec<usize>, imports: &BTreeMap<(usize, usize), BTreeSet<usize>>) -> Vec<usize> {
    let mut cost = backwards(&order, imports).len();
    loop {
        let before = cost;
        for node in order.clone() {
            let others: Vec<usize> = order.iter().copied().filter(|&other| other != node).collect();
            for at in 0..=others.len() {
                let moved = [&others[..at], &[node], &others[at..]].concat();
                let moved_cost = backwards(&moved, imports).len();
                if moved_cost < cost {
                    (order, cost) = (moved, moved_cost);
                }
            }
        }
        if cost == before {
            return order;
        }
    }
}

fn backwards(order: &[usize], imports: &BTreeMap<(usize, usize), BTreeSet<usize>>) -> BTreeSet<usize> {
    let places: HashMap<usize, usize> =
        order.iter().enumerate().map(|(place, &node)| (node, place)).collect();
    let back = imports.iter().filter(|((from, to), _)| places.get(from) > places.get(to));
    back.flat_map(|(_, items)| items).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(list: &[(usize, usize)]) -> BTreeSet<(usize, usize)> {
        list.iter().copied().collect()
    }

    #[test]
    fn components_are_found() {
        for (list, expected) in [
            (&[(0, 1), (1, 2), (0, 2)][..], &[][..]),
            (&[(0, 1), (1, 0), (1, 2)], &[&[0, 1][..]]),
            (&[(0, 1), (1, 0), (2, 3), (3, 4), (4, 2), (1, 2)], &[&[2, 3, 4][..], &[0, 1]]),
            (&[(0, 1), (1, 2), (2, 3), (3, 1), (2, 0)], &[&[0, 1, 2, 3][..]]),
        ] {
            let found: Vec<Vec<usize>> =
                components(5, &edges(list)).into_iter().map(|c| c.into_iter().collect()).collect();
            assert_eq!(found, expected, "{list:?}");
        }
    }

    #[test]
    fn the_item_of_most_imports_is_cut() {
        // Item 7 of node 0 is imported by both others; nodes 1 and 2 have two items each that 0 imports.
        let imports = BTreeMap::from([
            ((0, 1), BTreeSet::from([1, 2])),
            ((0, 2), BTreeSet::from([3, 4])),
            ((1, 0), BTreeSet::from([7])),
            ((2, 0), BTreeSet::from([7])),
        ]);
        assert_eq!(cut(&BTreeSet::from([0, 1, 2]), &imports), BTreeSet::from([7]));
    }
}

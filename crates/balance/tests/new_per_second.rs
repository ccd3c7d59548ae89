//! The limit of new connections per second, asked by several workers at the same time.

#[path = "limits/cells.rs"]
mod cells;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use balance::Rng;
use balance::connection_limit::NewPerSecond;
use cells::{SimCells, set_interrupt};

fn limited(max: u32) -> NewPerSecond<SimCells> {
    let rate = NewPerSecond::default();
    rate.configure(Some(max));
    rate
}

fn admitted(rate: &NewPerSecond<SimCells>, times: u32, now_millis: u64) -> usize {
    (0..times).filter(|_| rate.admit(now_millis)).count()
}

#[test]
fn each_second_admits_as_many_as_the_limit() {
    let rate = limited(10);
    assert_eq!(admitted(&rate, 50, 5_000), 10);
    assert_eq!(admitted(&rate, 50, 5_999), 0);
    assert_eq!(admitted(&rate, 4, 6_000), 4);
    assert_eq!(admitted(&rate, 50, 6_400), 6);
    assert_eq!(admitted(&rate, 50, 90_000), 10);
    assert_eq!(admitted(&rate, 50, 89_999), 0, "the clock of a worker is behind");
}

#[test]
fn the_limit_can_change_and_may_be_zero() {
    let rate = NewPerSecond::<SimCells>::default();
    assert_eq!((rate.max(), admitted(&rate, 1_000, 0)), (None, 1_000));
    rate.configure(Some(5));
    assert_eq!((rate.max(), admitted(&rate, 9, 0)), (Some(5), 5));
    rate.configure(Some(7));
    assert_eq!(admitted(&rate, 9, 999), 2);
    rate.configure(Some(0));
    assert_eq!(admitted(&rate, 9, 5_000), 0);
    rate.configure(Some(u32::MAX - 1));
    assert_eq!(rate.max(), Some((1 << 24) - 1));
}

#[test]
fn workers_that_ask_at_the_same_time_get_no_more_than_the_limit() {
    for seed in 0..200 {
        let random = RefCell::new(Rng::new(seed));
        let max = 1 + random.borrow_mut().below(5) as u32;
        let rate = Rc::new(limited(max));
        let now_millis = Rc::new(Cell::new(0_u64));
        let counts: Rc<RefCell<BTreeMap<u64, u32>>> = Rc::default();
        let ask = {
            let (rate, now_millis, counts) = (Rc::clone(&rate), Rc::clone(&now_millis), Rc::clone(&counts));
            Rc::new(move || {
                let second = now_millis.get() / 1_000;
                if rate.admit(now_millis.get()) {
                    *counts.borrow_mut().entry(second).or_default() += 1;
                }
            })
        };
        // Another worker asks between any two accesses of this one, one level deep.
        let (inner, is_inside) = (Rc::clone(&ask), Cell::new(false));
        set_interrupt(Some(Rc::new(move || {
            if !is_inside.replace(true) {
                inner();
                is_inside.set(false);
            }
        })));
        for _ in 0..100 {
            ask();
            now_millis.set(now_millis.get() + random.borrow_mut().below(120));
        }
        set_interrupt(None);
        let counts = counts.borrow();
        let most = counts.values().copied().max().unwrap();
        assert!(most <= max, "seed {seed}: {counts:?} of {max}");
        assert!(counts.values().any(|&count| count == max), "seed {seed}: the limit was not reached");
    }
}

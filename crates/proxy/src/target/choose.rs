//! Picks the target of an attempt.

use balance::{fail_open, hash_bytes, hash_source, least_connections};
use model::{Algorithm, HashKey};
use net::Sys;
use proto::http1::token;

use super::admit::Admitted;
use super::request::Request;
use crate::local::LocalGroup;
use crate::snapshot::PickerPlan;

/// The targets that this request has tried.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tried {
    places: [usize; model::Limits::ATTEMPTS_MAX as usize],
    count: usize,
}

impl Tried {
    pub(super) fn add(&mut self, place: usize) {
        if let Some(free) = self.places.get_mut(self.count) {
            *free = place;
            self.count += 1;
        }
    }

    fn contains(&self, place: usize) -> bool {
        self.places[..self.count].contains(&place)
    }
}

/// The place of a target in its group. Healthy targets that no failed connect speaks against come first, then any
/// healthy one, and when none is healthy, or none is known to be, all of them (fail open).
pub(super) fn pick<S: Sys>(
    _admitted: &Admitted,
    request: &Request<S>,
    group: &LocalGroup<S>,
    tried: Tried,
) -> Option<usize> {
    let now = request.proxy.now_millis();
    let targets = &group.plan.targets;
    let healthy = |place: usize| targets[place].health().takes_traffic() && !tried.contains(place);
    choose(request, group, |place| healthy(place) && !targets[place].is_passed_over(now))
        .or_else(|| choose(request, group, healthy))
        .or_else(|| {
            let takers = targets.iter().filter(|target| target.health().takes_traffic()).count();
            let open = fail_open(takers);
            choose(request, group, |place| open && !tried.contains(place))
        })
}

fn choose<S: Sys>(
    request: &Request<S>,
    group: &LocalGroup<S>,
    usable: impl Fn(usize) -> bool,
) -> Option<usize> {
    let targets = &group.plan.targets;
    let in_flight = |place: usize| targets[place].in_flight();
    let weight = |place: usize| group.plan.group.targets[place].weight;
    let mut random = request.proxy.random.borrow_mut();
    match &group.plan.picker {
        PickerPlan::Smooth => group.turn.borrow_mut().pick(usable),
        PickerPlan::Least => least_connections(targets.len(), weight, in_flight, usable, &mut random),
        PickerPlan::RandomTwo(two) => two.pick(in_flight, usable, &mut random),
        PickerPlan::Maglev(maglev) => maglev.pick(hash(request, &group.plan.group.algorithm), usable),
    }
}

fn hash<S: Sys>(request: &Request<S>, algorithm: &Algorithm) -> u64 {
    let value = match algorithm {
        Algorithm::Hash(HashKey::Header(name)) => {
            let fields = request.head().fields().iter();
            fields
                .map(|field| (request.text(field.name), request.text(field.value)))
                .find(|(field, _)| token::eq_ignore_case(field, name.as_bytes()))
                .map(|(_, value)| value)
        }
        _ => None,
    };
    value.map_or_else(|| hash_source(request.source), hash_bytes)
}

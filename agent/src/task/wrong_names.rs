//! Main containers that were named and that the pod does not have. Such a mistake must not keep the pod: the end of the containers that it
//! has is the end of the task.
//!
//! Envoy knows the regular containers that the pod had when the proxy was injected. A container that something has added later can be
//! missing there, and its image can come late. So a wrong name is dropped only some time after all others have ended.

use drain::time::Instant;
use log::{info, warn};

use super::containers::Containers;
use super::main_container::MainContainer;
use crate::os::World;
use crate::os::world::Source;

/// What is known of wrong names.
#[derive(Debug, Default)]
pub(super) struct WrongNames {
    names: Vec<String>,
    /// Whether Envoy has told the regular containers, so that `names` is final.
    is_known: bool,
    /// Since when all other main containers have ended.
    others_ended: Option<Instant>,
}

// === impl WrongNames ===

impl WrongNames {
    /// Whether Envoy has told the regular containers, so that it is known which names are wrong.
    pub(super) const fn are_known(&self) -> bool {
        self.is_known
    }

    /// Whether `name` is one of them.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.names.iter().any(|wrong| wrong == name)
    }
}

// === impl Containers ===

impl<W: World> Containers<'_, W> {
    /// Finds the names that were given and that no container has, as soon as Envoy tells the regular ones. If all are wrong, the main
    /// containers are those of a pod for which no name was given.
    pub(super) fn find_wrong_names(&mut self) {
        if self.wrong.is_known || self.options.containers.is_empty() || self.options.pid.is_some() {
            return;
        }
        let told = Some(self.options.regular.clone()).filter(|regular| !regular.is_empty());
        let Some(regular) = told.or_else(|| self.missed.regular(&self.starts).map(<[String]>::to_vec)) else { return };
        self.wrong.is_known = true;
        let is_wrong = |container: &&MainContainer<_>| container.phase.is_awaited() && !regular.contains(&container.name);
        self.wrong.names = self.list.iter().filter(is_wrong).map(|container| container.name.clone()).collect();
        if self.wrong.names.is_empty() {
            return;
        }
        let of_the_pod = self.options.main_containers(&regular, self.own());
        let named = self.wrong.names.join(", ");
        warn!("--container: the pod has no {named}; its main containers are {}, as Envoy tells", of_the_pod.join(", "));
        if self.list.iter().all(|container| self.wrong.contains(&container.name)) {
            for name in &of_the_pod {
                self.add(name);
                self.enter_end_of(name);
            }
        }
    }

    /// Enters the end of the container `name`, if it was seen and has ended before it was known to be a main one. Nothing tells how.
    fn enter_end_of(&mut self, name: &str) {
        let mut instances = self.starts.seen().iter().filter(|seen| seen.container.name == name).peekable();
        if instances.peek().is_none() || instances.any(|seen| seen.runs) {
            return;
        }
        let (restarts, now) = (&self.options.restarts, self.world.now());
        let awaited = |container: &MainContainer<_>| container.name == name && container.phase.is_awaited();
        let Some(place) = self.list.iter().position(awaited) else { return };
        if let Some(next) = self.list.get_mut(place).map(|container| container.after_unseen(1, restarts, now)) {
            self.enter(place, next);
        }
    }

    /// Drops the wrong names if all others have ended for long enough. Returns whether it has.
    pub(super) fn drop_wrong_names(&mut self) -> bool {
        // A container that was seen has its name.
        let list = &self.list;
        self.wrong.names.retain(|name| list.iter().any(|container| container.name == *name && container.phase.is_awaited()));
        let mut others = self.list.iter().filter(|container| !self.wrong.contains(&container.name)).peekable();
        let ended = others.peek().is_some() && others.all(MainContainer::has_ended);
        if self.wrong.names.is_empty() || !ended {
            self.wrong.others_ended = None;
            return false;
        }
        self.wrong.others_ended.get_or_insert(self.world.now());
        let is_terminated = self.world.terminated_at(Source::LastAnswer).is_some();
        if !is_terminated && self.wrong_names_due().is_none_or(|due| self.world.now() < due) {
            return false;
        }
        let named = self.wrong.names.join(", ");
        info!("all other main containers have ended, and there is no sign of {named}: it is dropped");
        self.evidence = Some(format!("its process has ended; the pod has no container {named}"));
        self.list.retain(|container| !self.wrong.contains(&container.name));
        self.wrong.names.clear();
        true
    }

    /// When the wrong names are to be dropped.
    pub(super) fn wrong_names_due(&self) -> Option<Instant> {
        self.wrong.others_ended.map(|at| at + self.options.late_start)
    }
}

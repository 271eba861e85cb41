//! The tasks of a driver, by place and by name.

use std::collections::HashMap;
use std::sync::Arc;

use sexton_core::name::TaskName;

use crate::due::Slot;
use crate::task::CheckedTask;

#[derive(Debug, Default)]
pub(super) struct TaskTable {
    places: Vec<Place>,
    by_name: HashMap<TaskName, u32>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    generation: u32,
    task: Option<Arc<CheckedTask>>,
}

impl TaskTable {
    pub(super) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    pub(super) fn by_name(&self, name: &str) -> Option<&Arc<CheckedTask>> {
        let place = *self.by_name.get(name)?;
        self.places.get(place as usize)?.task.as_ref()
    }

    /// The task at a slot, unless it was replaced or removed since.
    pub(super) fn at(&self, slot: Slot) -> Option<&Arc<CheckedTask>> {
        let place = self.places.get(slot.place as usize)?;
        place
            .task
            .as_ref()
            .filter(|_| place.generation == slot.generation)
    }

    pub(super) fn insert(&mut self, task: Arc<CheckedTask>) -> Slot {
        self.remove(task.name.as_str());
        let name = task.name.clone();
        let place = self.free.pop().unwrap_or_else(|| {
            self.places.push(Place {
                generation: 0,
                task: None,
            });
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        self.by_name.insert(name, place);
        let entry = &mut self.places[place as usize];
        entry.task = Some(task);
        Slot {
            place,
            generation: entry.generation,
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        let Some(place) = self.by_name.remove(name) else {
            return false;
        };
        let entry = &mut self.places[place as usize];
        entry.task = None;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(place);
        true
    }
}

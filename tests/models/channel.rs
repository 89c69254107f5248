//! A bounded channel of loom's primitives that behaves like crossbeam's.

use std::collections::VecDeque;

use loom::sync::{Arc, Condvar, Mutex};

struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
    room: usize,
}

struct State<T> {
    items: VecDeque<T>,
    senders: usize,
    receivers: usize,
}

pub struct Sender<T>(Arc<Queue<T>>);
pub struct Receiver<T>(Arc<Queue<T>>);

/// The other end was dropped.
#[derive(Debug)]
pub struct Gone;

pub fn bounded<T>(room: usize) -> (Sender<T>, Receiver<T>) {
    let queue = Arc::new(Queue {
        state: Mutex::new(State {
            items: VecDeque::new(),
            senders: 1,
            receivers: 1,
        }),
        changed: Condvar::new(),
        room,
    });
    (Sender(Arc::clone(&queue)), Receiver(queue))
}

impl<T> Sender<T> {
    /// Waits for room.
    pub fn send(&self, item: T) -> Result<(), Gone> {
        let queue = &*self.0;
        let mut state = queue.state.lock().unwrap();
        while state.receivers > 0 && state.items.len() == queue.room {
            state = queue.changed.wait(state).unwrap();
        }
        if state.receivers == 0 {
            return Err(Gone);
        }
        state.items.push_back(item);
        queue.changed.notify_all();
        Ok(())
    }
}

impl<T> Receiver<T> {
    /// Waits for an item.
    pub fn recv(&self) -> Result<T, Gone> {
        let queue = &*self.0;
        let mut state = queue.state.lock().unwrap();
        loop {
            if let Some(item) = state.items.pop_front() {
                queue.changed.notify_all();
                return Ok(item);
            }
            if state.senders == 0 {
                return Err(Gone);
            }
            state = queue.changed.wait(state).unwrap();
        }
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.0.state.lock().unwrap().receivers += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.0.state.lock().unwrap().senders -= 1;
        self.0.changed.notify_all();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let items = {
            let mut state = self.0.state.lock().unwrap();
            state.receivers -= 1;
            match state.receivers {
                0 => std::mem::take(&mut state.items),
                _ => VecDeque::new(),
            }
        };
        self.0.changed.notify_all();
        // This is outside of the lock, since an item may hold ends of other channels.
        drop(items);
    }
}

impl<T> std::fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> std::fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receiver")
    }
}

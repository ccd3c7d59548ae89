//! Kernel pipes, through which `splice` moves bulk data between sockets without copying it.

use std::io;

use crate::sys::{Fd, Sys};
use crate::worker::Worker;

/// A pipe from the worker's pool. Its drop returns it to the pool, or closes it if it still holds bytes.
pub struct Pipe<S: Sys> {
    worker: Worker<S>,
    ends: PipeEnds,
    held: usize,
}

/// The error of a splice, by the side that failed.
#[derive(Debug)]
pub enum Moved {
    /// Reading failed.
    In(io::Error),
    /// Writing failed. This many bytes had been read; some of them may have been written.
    Out(io::Error, u64),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct PipeEnds {
    read: Fd,
    write: Fd,
    capacity: usize,
}

impl PipeEnds {
    pub(crate) fn close(self, sys: &impl Sys) {
        sys.close(self.read);
        sys.close(self.write);
    }
}

impl<S: Sys> std::fmt::Debug for Pipe<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipe").field("ends", &self.ends).field("held", &self.held).finish_non_exhaustive()
    }
}

impl<S: Sys> Pipe<S> {
    /// Takes a pipe from the pool, or opens one. Fails if descriptors run out; the caller can copy instead.
    pub fn lease(worker: &Worker<S>) -> io::Result<Self> {
        let pooled = worker.0.pipes.borrow_mut().pop();
        let ends = match pooled {
            Some(ends) => ends,
            None => {
                let (read, write, capacity) = worker.0.sys.pipe()?;
                worker.0.pipes_open.set(worker.0.pipes_open.get() + 1);
                PipeEnds { read, write, capacity }
            }
        };
        Ok(Self { worker: worker.clone(), ends, held: 0 })
    }

    pub fn capacity(&self) -> usize {
        self.ends.capacity
    }

    /// How many bytes are in it.
    pub fn held(&self) -> usize {
        self.held
    }

    pub(crate) fn read_end(&self) -> Fd {
        self.ends.read
    }

    pub(crate) fn write_end(&self) -> Fd {
        self.ends.write
    }

    pub(crate) fn added(&mut self, count: usize) {
        self.held += count;
    }

    pub(crate) fn removed(&mut self, count: usize) {
        self.held = self.held.saturating_sub(count);
    }
}

impl<S: Sys> Drop for Pipe<S> {
    fn drop(&mut self) {
        let mut pool = self.worker.0.pipes.borrow_mut();
        if self.held == 0 && pool.len() < POOLED_MAX {
            pool.push(self.ends);
        } else {
            self.ends.close(&self.worker.0.sys);
            self.worker.0.pipes_open.set(self.worker.0.pipes_open.get() - 1);
        }
    }
}

// limit: idle pipes kept by a worker; each is two descriptors.
const POOLED_MAX: usize = 16;

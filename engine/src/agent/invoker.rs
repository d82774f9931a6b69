//! An agent without a thread of its own. Its owner calls it, between other work of the owner's thread.

use super::{Agent, Finished};

/// Runs an agent on the caller's thread.
#[derive(Debug)]
pub struct AgentInvoker<A: Agent> {
    agent: A,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    New,
    Running,
    /// In a call of the agent. Stays if the agent panics.
    Busy,
    Closed,
}

impl<A: Agent> AgentInvoker<A> {
    /// An invoker for an agent that has not been started yet.
    pub const fn new(agent: A) -> Self {
        Self { agent, state: State::New }
    }

    /// Starts the agent, unless it was started before.
    pub fn start(&mut self) {
        if self.state == State::New {
            self.state = State::Busy;
            self.agent.on_start();
            self.state = State::Running;
        }
    }

    /// Runs one duty cycle. Returns the work count, which is 0 before the start, after the close, and after a panic of
    /// the agent. A panic is passed on to the caller.
    pub fn invoke(&mut self) -> usize {
        if self.state != State::Running {
            return 0;
        }
        self.state = State::Busy;
        let outcome = self.agent.do_work();
        self.state = State::Running;
        match outcome {
            Ok(work_count) => work_count,
            Err(Finished) => {
                self.close();
                0
            }
        }
    }

    /// Whether the agent was started and has neither finished, nor panicked, nor been closed.
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// The agent.
    pub const fn agent(&self) -> &A {
        &self.agent
    }

    /// Closes the agent, unless it was closed before or never started. An agent that panicked may be in an inconsistent
    /// state and is not called any more.
    pub fn close(&mut self) {
        let was_running = self.state == State::Running;
        self.state = State::Closed;
        if was_running {
            self.agent.on_close();
        }
    }
}

impl<A: Agent> Drop for AgentInvoker<A> {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use super::*;

    struct Recorder {
        calls: Rc<RefCell<Vec<&'static str>>>,
        work_left: usize,
    }

    impl Agent for Recorder {
        fn name(&self) -> &str {
            "recorder"
        }

        fn on_start(&mut self) {
            self.calls.borrow_mut().push("start");
        }

        fn do_work(&mut self) -> Result<usize, Finished> {
            self.calls.borrow_mut().push("work");
            self.work_left = self.work_left.checked_sub(1).ok_or(Finished)?;
            Ok(3)
        }

        fn on_close(&mut self) {
            self.calls.borrow_mut().push("close");
        }
    }

    fn invoker(work_left: usize) -> (AgentInvoker<Recorder>, Rc<RefCell<Vec<&'static str>>>) {
        let calls = Rc::new(RefCell::new(Vec::new()));
        (AgentInvoker::new(Recorder { calls: Rc::clone(&calls), work_left }), calls)
    }

    #[test]
    fn works_between_start_and_close_only() {
        let (mut invoker, calls) = invoker(9);
        assert_eq!(invoker.invoke(), 0);
        invoker.start();
        invoker.start();
        assert!(invoker.is_running());
        assert_eq!(invoker.invoke(), 3);
        invoker.close();
        invoker.close();
        assert_eq!(invoker.invoke(), 0);
        invoker.start();
        assert!(!invoker.is_running());
        drop(invoker);
        assert_eq!(*calls.borrow(), ["start", "work", "close"]);
    }

    #[test]
    fn an_agent_that_finishes_is_closed() {
        let (mut invoker, calls) = invoker(1);
        invoker.start();
        assert_eq!((invoker.invoke(), invoker.invoke(), invoker.invoke()), (3, 0, 0));
        assert!(!invoker.is_running());
        assert_eq!(*calls.borrow(), ["start", "work", "work", "close"]);
    }

    /// Its owner may have caught the panic, or may be another thread.
    #[test]
    fn an_agent_that_panicked_is_left_alone() {
        struct Panicking(Rc<RefCell<Vec<&'static str>>>, &'static str);
        impl Panicking {
            fn called(&self, by: &'static str) {
                self.0.borrow_mut().push(by);
                assert_ne!(self.1, by, "as this test has it");
            }
        }
        impl Agent for Panicking {
            fn name(&self) -> &str {
                "panicking"
            }
            fn on_start(&mut self) {
                self.called("start");
            }
            fn do_work(&mut self) -> Result<usize, Finished> {
                self.called("work");
                Ok(1)
            }
            fn on_close(&mut self) {
                self.called("close");
            }
        }
        for (panics_in, called) in [("start", &["start"][..]), ("work", &["start", "work"])] {
            let calls = Rc::default();
            let mut invoker = AgentInvoker::new(Panicking(Rc::clone(&calls), panics_in));
            let run = catch_unwind(AssertUnwindSafe(|| {
                invoker.start();
                invoker.invoke()
            }));
            assert!(run.is_err());
            invoker.start();
            assert_eq!((invoker.invoke(), invoker.is_running()), (0, false));
            drop(invoker);
            assert_eq!(*calls.borrow(), called);
        }
    }

    #[test]
    fn dropping_closes_what_was_started() {
        let (mut invoker, calls) = invoker(1);
        invoker.start();
        drop(invoker);
        assert_eq!(*calls.borrow(), ["start", "close"]);

        let (never_started, calls) = self::invoker(1);
        drop(never_started);
        assert!(calls.borrow().is_empty());
    }
}

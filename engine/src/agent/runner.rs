//! An agent with a thread of its own. The owner starts it, may ask whether it still runs, and closes it; all else
//! happens on that thread. A panic ends the agent and is kept for the owner, so it is never lost.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use super::{Agent, IdleStrategy};
use crate::sync::{AtomicBool, Ordering};

/// A thread that runs an agent until the agent finishes, panics, or is closed. Dropping the runner closes the agent.
#[derive(Debug)]
pub struct AgentRunner {
    name: Arc<str>,
    stop: Arc<AtomicBool>,
    /// Present until the thread was joined.
    thread: Option<JoinHandle<Result<(), AgentPanic>>>,
    /// How the agent ended, once known.
    outcome: Result<(), AgentPanic>,
}

/// An agent panicked and does no more work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("agent {agent} panicked: {message}")]
pub struct AgentPanic {
    /// The agent's name.
    pub agent: String,
    /// The panic message.
    pub message: String,
}

impl AgentRunner {
    /// Starts a thread that calls `on_thread_start` and then runs the agent. The caller can use `on_thread_start` to
    /// pin the thread to a processor or to set its priority.
    ///
    /// # Errors
    ///
    /// An error of the operating system if the thread cannot be started.
    pub fn start<A>(
        mut agent: A,
        mut idle_strategy: IdleStrategy,
        on_thread_start: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self>
    where
        A: Agent + Send + 'static,
    {
        let name: Arc<str> = agent.name().into();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = thread::Builder::new().name(name.replace('\0', "?")).spawn({
            let (name, stop) = (Arc::clone(&name), Arc::clone(&stop));
            move || {
                // The agent moves into the closure, so after a panic only its destructor sees it.
                let run = AssertUnwindSafe(move || {
                    on_thread_start();
                    run(&mut agent, &mut idle_strategy, &stop);
                });
                catch_unwind(run).map_err(|payload| AgentPanic { agent: name.to_string(), message: message(&*payload) })
            }
        })?;
        Ok(Self { name, stop, thread: Some(thread), outcome: Ok(()) })
    }

    /// The agent's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the agent is running. If not, [`AgentRunner::close`] returns at once.
    pub fn is_running(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Asks the agent to stop after its present duty cycle, without waiting for it.
    pub fn request_stop(&self) {
        // ORDERING(agent.stop): Relaxed. Pairs with the Relaxed load in `run`; publishes nothing. Joining the thread
        // makes its work visible.
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = &self.thread {
            thread.thread().unpark();
        }
    }

    /// Stops the agent, waits until it has ended, and returns its outcome. Further calls return the same outcome.
    ///
    /// If the agent's own thread calls this, for example because a handler drops the runner, it only asks the agent to
    /// stop, because a thread cannot wait for itself.
    ///
    /// # Errors
    ///
    /// [`AgentPanic`] if the agent panicked at any time.
    pub fn close(&mut self) -> Result<(), AgentPanic> {
        self.request_stop();
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != thread::current().id()
        {
            self.outcome = thread.join().unwrap_or_else(|payload| {
                // Only the destructor of a panic's payload can still panic there.
                Err(AgentPanic { agent: self.name.to_string(), message: message(&*payload) })
            });
        }
        self.outcome.clone()
    }
}

impl Drop for AgentRunner {
    fn drop(&mut self) {
        // The panic hook has already printed a panic to standard error. Call `close` to handle it.
        let _ = self.close();
    }
}

fn run(agent: &mut impl Agent, idle_strategy: &mut IdleStrategy, stop: &AtomicBool) {
    agent.on_start();
    // ORDERING(agent.stop): Relaxed. Pairs with the Relaxed store in `request_stop`.
    let is_stopped = || stop.load(Ordering::Relaxed);
    while !is_stopped() {
        match agent.do_work() {
            // An agent that itself waits, for example for a channel, may have used up the wake-up that came with the
            // request. Nothing would end a sleep that begins now.
            Ok(_) if is_stopped() => break,
            Ok(work_count) => idle_strategy.idle(work_count),
            Err(super::Finished) => break,
        }
    }
    agent.on_close();
}

/// The message of a panic. The payload of `panic!` is a text; that of `panic_any` can be anything.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)").to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::sync::{Mutex, PoisonError};
    use std::time::Duration;

    use super::*;
    use crate::agent::Finished;

    /// Far longer than anything here takes, and far shorter than a hanging build.
    const PATIENCE: Duration = Duration::from_secs(180);

    #[derive(Debug, PartialEq, Eq)]
    enum Call {
        Hook(Option<String>),
        Start,
        Work,
        Close,
        Drop,
    }

    type DoWork = Box<dyn FnMut() -> Result<usize, Finished> + Send>;

    struct Reporter {
        calls: Sender<Call>,
        do_work: DoWork,
        has_worked: bool,
    }

    impl Agent for Reporter {
        fn name(&self) -> &str {
            "reporter"
        }

        fn on_start(&mut self) {
            let _ = self.calls.send(Call::Start);
        }

        fn do_work(&mut self) -> Result<usize, Finished> {
            if !self.has_worked {
                self.has_worked = true;
                let _ = self.calls.send(Call::Work);
            }
            (self.do_work)()
        }

        fn on_close(&mut self) {
            let _ = self.calls.send(Call::Close);
        }
    }

    impl Drop for Reporter {
        fn drop(&mut self) {
            let _ = self.calls.send(Call::Drop);
        }
    }

    fn start(
        idle_strategy: IdleStrategy,
        do_work: impl FnMut() -> Result<usize, Finished> + Send + 'static,
    ) -> (AgentRunner, Receiver<Call>) {
        let (calls, received) = channel();
        let hook = {
            let calls = calls.clone();
            move || drop(calls.send(Call::Hook(thread::current().name().map(str::to_owned))))
        };
        let agent = Reporter { calls, do_work: Box::new(do_work), has_worked: false };
        (AgentRunner::start(agent, idle_strategy, hook).unwrap(), received)
    }

    /// All calls until the agent is gone.
    fn until_gone(calls: &Receiver<Call>) -> Vec<Call> {
        let mut seen = Vec::new();
        while let Ok(call) = calls.recv_timeout(PATIENCE) {
            seen.push(call);
        }
        seen
    }

    fn whole_life() -> Vec<Call> {
        vec![Call::Hook(Some("reporter".into())), Call::Start, Call::Work, Call::Close, Call::Drop]
    }

    #[test]
    fn runs_on_its_own_thread_until_it_is_closed() {
        let (mut runner, calls) = start(IdleStrategy::Sleep { period_ns: 100_000 }, || Ok(0));
        while calls.recv_timeout(PATIENCE).unwrap() != Call::Work {}
        assert!(runner.is_running());
        assert_eq!(runner.name(), "reporter");
        assert_eq!((runner.close(), runner.close()), (Ok(()), Ok(())));
        assert!(!runner.is_running());
        assert_eq!(until_gone(&calls), [Call::Close, Call::Drop]);
    }

    #[test]
    fn closing_wakes_a_long_sleeper_and_so_does_dropping() {
        let hour = IdleStrategy::Sleep { period_ns: 3_600_000_000_000 };
        let (runner, calls) = start(hour, || Ok(0));
        assert_eq!(calls.recv_timeout(PATIENCE).unwrap(), Call::Hook(Some("reporter".into())));
        drop(runner);
        assert_eq!(until_gone(&calls).last(), Some(&Call::Drop));
    }

    /// The wake-up of a thread counts once, and whatever the agent waits for may use it up.
    #[test]
    fn closing_ends_an_agent_that_used_up_its_wake_up() {
        let hour = IdleStrategy::Sleep { period_ns: 3_600_000_000_000 };
        let (go_on, request) = channel::<()>();
        let (runner, calls) = start(hour, move || {
            let _ = request.recv();
            IdleStrategy::Sleep { period_ns: 0 }.idle(0);
            Ok(0)
        });
        while calls.recv_timeout(PATIENCE).unwrap() != Call::Work {}
        runner.request_stop();
        drop(go_on);
        assert_eq!(until_gone(&calls), [Call::Close, Call::Drop]);
    }

    #[test]
    fn an_agent_that_finishes_ends_its_thread() {
        let (mut runner, calls) = start(IdleStrategy::Yield, || Err(Finished));
        assert_eq!(until_gone(&calls), whole_life());
        assert_eq!(runner.close(), Ok(()));
    }

    #[test]
    fn a_panic_is_kept_for_the_owner() {
        let (mut runner, calls) = start(IdleStrategy::Yield, || panic!("lost {} frames", 3));
        let seen = until_gone(&calls);
        assert!(!seen.contains(&Call::Close), "{seen:?}");
        assert_eq!(seen.last(), Some(&Call::Drop));
        let panic = AgentPanic { agent: "reporter".into(), message: "lost 3 frames".into() };
        assert_eq!(panic.to_string(), "agent reporter panicked: lost 3 frames");
        assert_eq!((runner.close(), runner.close()), (Err(panic.clone()), Err(panic)));
        assert!(!runner.is_running());
    }

    #[test]
    fn a_runner_may_be_closed_on_its_own_thread() {
        let slot: Arc<Mutex<Option<AgentRunner>>> = Arc::default();
        let in_agent = Arc::clone(&slot);
        let (runner, calls) = start(IdleStrategy::Sleep { period_ns: 100_000 }, move || {
            drop(in_agent.lock().unwrap_or_else(PoisonError::into_inner).take());
            Ok(0)
        });
        *slot.lock().unwrap() = Some(runner);
        assert_eq!(until_gone(&calls), whole_life());
    }
}

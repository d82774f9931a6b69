//! Removes one memory ordering in model builds, to show that a model depends on it. The models in `loom-tests` call
//! this; the code under test does not know of it.
//!
//! Directly above each ordered operation, a comment names its handshake, `// ORDERING(label): ...`. The words of
//! `memory` and the fences of `sync` find the line that called them and that comment in the source, and omit the
//! ordering if its label is weakened. So the labels are checked as well: weakening a label that no operation has is an
//! error.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;
use std::path::Path;

/// The environment variable that weakens an ordering for the whole process, for manual use.
pub const VARIABLE: &str = "ENGINE_LOOM_WEAKEN";

/// The kind of an ordered operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Load,
    Store,
    /// A fetch-and-add or a compare-and-exchange.
    Update,
    Fence,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Store => "store",
            Self::Update => "update",
            Self::Fence => "fence",
        }
    }
}

#[derive(Default)]
struct State {
    /// The target to weaken: `label:operation`.
    target: Option<String>,
    /// Whether such an operation was executed.
    met: bool,
    /// A cache of the labels of source lines.
    labels: HashMap<(&'static str, u32), Vec<String>>,
}

thread_local! {
    // Loom runs all threads of a model on the thread that called it.
    static STATE: RefCell<State> = RefCell::new(State { target: std::env::var(VARIABLE).ok(), ..State::default() });
}

/// Runs `body` with one ordering omitted. `target` is `label:operation`, where the operation is `load`, `store`,
/// `update` or `fence`. Returns the result of `body`, and whether any operation was weakened.
pub fn weakened<R>(target: &str, body: impl FnOnce() -> R) -> (R, bool) {
    STATE.with_borrow_mut(|state| {
        state.target = Some(target.to_owned());
        state.met = false;
    });
    let result = body();
    let met = STATE.with_borrow_mut(|state| {
        state.target = None;
        state.met
    });
    (result, met)
}

/// Whether the operation at this line has its ordering omitted.
pub(crate) fn is_weakened(operation: Operation, at: &'static Location<'static>) -> bool {
    STATE.with_borrow_mut(|state| {
        let Some((label, kind)) = state.target.as_deref().and_then(|target| target.rsplit_once(':')) else {
            return false;
        };
        if kind != operation.name() {
            return false;
        }
        let labels = state.labels.entry((at.file(), at.line())).or_insert_with(|| labels(at));
        let weakened = labels.iter().any(|found| found == label);
        state.met |= weakened;
        weakened
    })
}

/// The labels in the comment above the statement at this line.
fn labels(at: &Location<'_>) -> Vec<String> {
    // The compiler names files of a workspace relative to its root.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a workspace").join(at.file());
    let source = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("cannot read {} for its labels: {error}", path.display()));
    let lines: Vec<&str> = source.lines().map(str::trim).take(at.line() as usize - 1).collect();
    let is_comment = |line: &&&str| line.starts_with("//");
    let is_statement = |line: &&&str| !line.is_empty() && !line.ends_with([';', '{', '}']) && !is_comment(line);
    let above = lines.iter().rev().skip_while(is_statement);
    let comment: Vec<&str> = above.take_while(is_comment).copied().collect();
    comment
        .iter()
        .flat_map(|line| line.split("ORDERING(").skip(1))
        .filter_map(|rest| rest.split_once(')'))
        .map(|(label, _)| label.to_owned())
        .collect()
}

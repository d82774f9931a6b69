//! Removes one memory ordering in model builds, to show that a model depends on it. The models in `loom-tests` call
//! this; the code under test does not know of it.
//!
//! Directly above each ordered operation, a comment names its handshake, `// ORDERING(label): ...`. The words of
//! `memory` and the fences of `sync` find the line that called them and that comment in the source, and omit the
//! ordering if its label is weakened. So the labels are checked as well: weakening a label that no operation has is an
//! error.
//!
//! Where an update is needed for being one step and not for its ordering, it can be split instead.

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
    /// A fetch-and-add or a compare-and-exchange too. Weakened, it is a load and then a store.
    Split,
    Fence,
}

impl Operation {
    const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Store => "store",
            Self::Update => "update",
            Self::Split => "split",
            Self::Fence => "fence",
        }
    }
}

#[derive(Default)]
struct State {
    /// The targets to weaken, `label:operation` each, and whether such an operation was executed.
    targets: Vec<(String, bool)>,
    /// A cache of the labels of source lines.
    labels: HashMap<(&'static str, u32), Vec<String>>,
}

thread_local! {
    // Loom runs all threads of a model on the thread that called it.
    static STATE: RefCell<State> = RefCell::new(State { targets: targets(&std::env::var(VARIABLE).unwrap_or_default()), ..State::default() });
}

fn targets(text: &str) -> Vec<(String, bool)> {
    text.split(',').filter(|target| !target.is_empty()).map(|target| (target.to_owned(), false)).collect()
}

/// Runs `body` with orderings omitted or updates split. `target` is `label:operation`, where the operation is `load`,
/// `store`, `update`, `split` or `fence`, or several of these with commas between them. Returns the result of `body`,
/// and whether an operation of each target was weakened.
pub fn weakened<R>(target: &str, body: impl FnOnce() -> R) -> (R, bool) {
    STATE.with_borrow_mut(|state| state.targets = targets(target));
    let result = body();
    let met = STATE.with_borrow_mut(|state| std::mem::take(&mut state.targets).iter().all(|(_, met)| *met));
    (result, met)
}

/// Whether the operation at this line has its ordering omitted, or is split.
pub(crate) fn is_weakened(operation: Operation, at: &'static Location<'static>) -> bool {
    STATE.with_borrow_mut(|State { targets, labels }| {
        let mut weakened = false;
        for (target, met) in targets {
            let Some((label, kind)) = target.rsplit_once(':') else { continue };
            let labels = labels.entry((at.file(), at.line())).or_insert_with(|| self::labels(at));
            if kind == operation.name() && labels.iter().any(|found| found == label) {
                (weakened, *met) = (true, true);
            }
        }
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

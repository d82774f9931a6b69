//! The CPU of each of the driver's threads. It is decided before any thread starts, so an impossible pin is an error at
//! start and not a surprise in the tail latencies. Each thread then pins itself first.

use core_affinity::CoreId;

use super::Role;
use crate::config::Cpu;

/// The decided CPU of a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pin {
    pub(super) role: Role,
    /// The CPU's number in the operating system. `None` if the thread is not pinned.
    pub(super) cpu: Option<usize>,
}

/// Why threads cannot be pinned as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AffinityError {
    /// The CPU does not exist, or this process may not use it.
    #[error(
        "cannot pin the {role} to CPU {cpu}: this process may use CPUs {}; choose one of them, or widen what it may use \
         (taskset, cpuset, container limits)", ranges(.available)
    )]
    NotAvailable {
        /// The thread.
        role: Role,
        /// The configured CPU.
        cpu: usize,
        /// The CPUs that this process may use, in order.
        available: Vec<usize>,
    },
    /// The offset exceeds the number of CPUs.
    #[error(
        "cannot pin the {role} to the CPU at offset {offset}: this process may use CPUs {}, at offsets 0 to {}; choose \
         one of these", ranges(.available), .available.len().saturating_sub(1)
    )]
    NoSuchOffset {
        /// The thread.
        role: Role,
        /// The configured offset, from 0.
        offset: usize,
        /// The CPUs that this process may use, in order.
        available: Vec<usize>,
    },
    /// There are warnings about the threads' CPUs, and the configuration makes them errors.
    #[error("{}; with aeron.thread.affinity.fail.on.validation.errors that is an error", .0.join("; "))]
    Warnings(Vec<String>),
    /// The operating system does not report which CPUs there are.
    #[error(
        "cannot pin the {role}: the system does not tell which CPUs this process may use; leave the threads unpinned"
    )]
    Unknown {
        /// The thread.
        role: Role,
    },
    /// The operating system refused.
    #[error("cannot pin the {role} to CPU {cpu}: the system refused; choose another CPU or leave the thread unpinned")]
    Refused {
        /// The thread.
        role: Role,
        /// The configured CPU.
        cpu: usize,
    },
}

/// How CPU numbers are interpreted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Numbers are offsets among the CPUs that this process may use.
    pub(super) offsets: bool,
    /// What is otherwise a warning is an error.
    pub(super) warnings_are_errors: bool,
}

/// The CPUs that this process may use, in order.
pub(super) fn available() -> Vec<usize> {
    let mut cpus: Vec<_> = core_affinity::get_core_ids().unwrap_or_default().into_iter().map(|core| core.id).collect();
    cpus.sort_unstable();
    cpus
}

/// Decides the CPU of each thread, and collects warnings for the operator, which are added to those that there are.
pub(super) fn plan(
    wanted: &[(Role, Cpu)],
    available: &[usize],
    rules: Rules,
    mut warnings: Vec<String>,
) -> Result<(Vec<Pin>, Vec<String>), AffinityError> {
    let mut pins = Vec::with_capacity(wanted.len());
    for &(role, cpu) in wanted {
        let cpu = match cpu {
            Cpu::Any | Cpu::Auto => None,
            Cpu::Number(_) if available.is_empty() => return Err(AffinityError::Unknown { role }),
            Cpu::Number(offset) if rules.offsets => {
                let offset = usize::from(offset);
                let found = available.get(offset).copied();
                Some(found.ok_or_else(|| AffinityError::NoSuchOffset {
                    role,
                    offset,
                    available: available.to_vec(),
                })?)
            }
            Cpu::Number(cpu) => {
                let cpu = usize::from(cpu);
                if !available.contains(&cpu) {
                    return Err(AffinityError::NotAvailable { role, cpu, available: available.to_vec() });
                }
                Some(cpu)
            }
        };
        pins.push(Pin { role, cpu });
    }
    for (index, pin) in pins.iter().enumerate() {
        if let Some(other) = pins[..index].iter().find(|other| pin.cpu.is_some() && other.cpu == pin.cpu) {
            warnings.push(format!("the {} and the {} share CPU {}", other.role, pin.role, pin.cpu.unwrap_or_default()));
        }
    }
    choose(wanted, available, &mut pins, &mut warnings);
    if rules.warnings_are_errors && !warnings.is_empty() {
        return Err(AffinityError::Warnings(warnings));
    }
    Ok((pins, warnings))
}

/// Gives each thread with `auto` a CPU of its own, all of them or none: from the highest down, because operating
/// systems tend to use the lowest for their own work, and never the last remaining one, which applications need.
fn choose(wanted: &[(Role, Cpu)], available: &[usize], pins: &mut [Pin], warnings: &mut Vec<String>) {
    let open: Vec<usize> = (0..wanted.len()).filter(|index| wanted[*index].1 == Cpu::Auto).collect();
    let free: Vec<usize> =
        available.iter().copied().filter(|cpu| pins.iter().all(|pin| pin.cpu != Some(*cpu))).collect();
    if open.is_empty() {
        return;
    }
    if free.len() <= open.len() {
        warnings.push(format!(
            "too few of this process's CPUs {} are free to pin threads to CPUs of their own and leave one for \
             applications: {} of {} needed; these threads run unpinned",
            ranges(available),
            free.len(),
            open.len() + 1
        ));
        return;
    }
    for (index, cpu) in open.into_iter().zip(free.into_iter().rev()) {
        pins[index].cpu = Some(cpu);
    }
}

impl Pin {
    /// Pins the calling thread.
    ///
    /// # Errors
    ///
    /// [`AffinityError::Refused`].
    pub(super) fn apply(self) -> Result<(), AffinityError> {
        match self.cpu {
            Some(cpu) if !core_affinity::set_for_current(CoreId { id: cpu }) => {
                Err(AffinityError::Refused { role: self.role, cpu })
            }
            _ => Ok(()),
        }
    }
}

/// Formats `0, 1, 2, 5` as `0-2, 5`.
fn ranges(cpus: &[usize]) -> String {
    let mut text = String::new();
    let mut rest = cpus;
    while let Some(&first) = rest.first() {
        let length = rest.iter().enumerate().take_while(|(index, cpu)| **cpu == first + index).count();
        if !text.is_empty() {
            text.push_str(", ");
        }
        match length {
            1 => text.push_str(&first.to_string()),
            _ => text.push_str(&format!("{first}-{}", first + length - 1)),
        }
        rest = &rest[length..];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAX: Rules = Rules { offsets: false, warnings_are_errors: false };

    fn plan(
        wanted: &[(Role, Cpu)],
        available: &[usize],
        rules: Rules,
    ) -> Result<(Vec<Pin>, Vec<String>), AffinityError> {
        super::plan(wanted, available, rules, Vec::new())
    }

    const STRICT: Rules = Rules { warnings_are_errors: true, ..LAX };

    fn cpus(pins: &[Pin]) -> Vec<Option<usize>> {
        pins.iter().map(|pin| pin.cpu).collect()
    }

    #[test]
    fn numbers_are_the_system_s_unless_they_are_offsets() {
        let wanted = [(Role::Conductor, Cpu::Number(5)), (Role::Helper, Cpu::Any)];
        let (pins, warnings) = plan(&wanted, &[4, 5, 6], LAX).unwrap();
        assert_eq!((cpus(&pins), warnings.len()), (vec![Some(5), None], 0));
        let offsets = Rules { offsets: true, ..LAX };
        let (pins, _) = plan(&[(Role::Conductor, Cpu::Number(2))], &[4, 5, 6], offsets).unwrap();
        assert_eq!(cpus(&pins), [Some(6)]);
        let error = plan(&wanted, &[4, 5, 6], offsets).unwrap_err().to_string();
        assert!(
            error.contains("the conductor to the CPU at offset 5: this process may use CPUs 4-6, at offsets 0 to 2"),
            "{error}"
        );
    }

    #[test]
    fn a_cpu_that_is_not_there_is_an_error_that_names_those_that_are() {
        let error = plan(&[(Role::Conductor, Cpu::Number(64))], &[0, 1, 2, 7], LAX).unwrap_err().to_string();
        assert!(error.contains("cannot pin the conductor to CPU 64: this process may use CPUs 0-2, 7"), "{error}");
        let error = plan(&[(Role::Helper, Cpu::Number(0))], &[], LAX).unwrap_err();
        assert_eq!(error, AffinityError::Unknown { role: Role::Helper });
    }

    #[test]
    fn two_on_one_cpu_are_warned_about_or_refused() {
        let wanted = [(Role::Conductor, Cpu::Number(1)), (Role::Helper, Cpu::Number(1))];
        let (_, warnings) = plan(&wanted, &[0, 1], LAX).unwrap();
        assert_eq!(warnings, ["the conductor and the helper share CPU 1"]);
        let error = plan(&wanted, &[0, 1], STRICT).unwrap_err().to_string();
        assert!(error.starts_with("the conductor and the helper share CPU 1; with aeron.thread.affinity."), "{error}");
    }

    #[test]
    fn every_warning_is_an_error_where_that_is_asked_for() {
        let error = plan(&[(Role::Conductor, Cpu::Auto)], &[0], STRICT).unwrap_err().to_string();
        assert!(error.contains("these threads run unpinned; with aeron.thread.affinity."), "{error}");
        let before = vec!["the receiver has no thread".to_owned()];
        let error = super::plan(&[], &[0], STRICT, before).unwrap_err().to_string();
        assert!(error.starts_with("the receiver has no thread; with"), "{error}");
        assert!(plan(&[(Role::Conductor, Cpu::Number(0))], &[0], STRICT).is_ok());
    }

    #[test]
    fn auto_takes_free_cpus_from_the_top_and_leaves_one() {
        let wanted = [(Role::Conductor, Cpu::Auto), (Role::Helper, Cpu::Number(3))];
        let (pins, warnings) = plan(&wanted, &[0, 1, 2, 3], LAX).unwrap();
        assert_eq!((cpus(&pins), warnings.len()), (vec![Some(2), Some(3)], 0));
        let wanted = [(Role::Conductor, Cpu::Auto)];
        assert_eq!(cpus(&plan(&wanted, &[0, 1], LAX).unwrap().0), [Some(1)]);
        let (pins, warnings) = plan(&wanted, &[0], LAX).unwrap();
        assert_eq!((cpus(&pins), warnings.len()), (vec![None], 1), "a lone CPU is not taken for one thread");
        assert!(warnings[0].contains("too few of this process's CPUs 0 are free"), "{warnings:?}");
        assert!(warnings[0].contains("1 of 2 needed"), "{warnings:?}");
    }

    #[test]
    fn a_thread_pins_itself() {
        let cpu = *available().last().expect("the system tells its CPUs");
        std::thread::spawn(move || {
            Pin { role: Role::Conductor, cpu: Some(cpu) }.apply().unwrap();
            assert_eq!(available(), [cpu]);
        })
        .join()
        .unwrap();
    }
}

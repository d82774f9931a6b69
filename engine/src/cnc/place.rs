//! The default driver directory. Drivers, clients and tools all use it, so they look in the same place.

use std::path::PathBuf;

/// The default driver directory: `/dev/shm/aeron-<user>`. The user is that of `USER`, else the process's user in the
/// system's user list, else `default`.
pub fn default_directory() -> PathBuf {
    let list = || std::fs::read_to_string("/etc/passwd").ok();
    directory_of(std::env::var("USER").ok(), rustix::process::geteuid().as_raw(), list)
}

fn directory_of(name: Option<String>, user: u32, list: impl FnOnce() -> Option<String>) -> PathBuf {
    let name = name.filter(|name| !name.is_empty()).or_else(|| name_of(user, &list()?));
    PathBuf::from(format!("/dev/shm/aeron-{}", name.as_deref().unwrap_or("default")))
}

/// The name of a user in a list in the format of `/etc/passwd`. `None` for a name that could lead to another directory.
fn name_of(user: u32, list: &str) -> Option<String> {
    let user = user.to_string();
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == user && !name.is_empty() && !name.contains('/')).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "root:x:0:0:root:/root:/bin/sh\n\nshort:x\nana:x:1000:1000:Ana:/home/ana:/bin/sh\n\
                        again:x:1000:1:second name:/:/bin/sh\n../up:x:7:7::/:\n:x:8:8::/:\n";

    #[test]
    fn users_are_found_by_their_number() {
        let names = [0, 1000, 100, 7, 8].map(|user| name_of(user, LIST));
        assert_eq!(names, [Some("root".to_owned()), Some("ana".to_owned()), None, None, None]);
        assert_eq!(name_of(0, ""), None);
    }

    #[test]
    fn the_directory_is_the_user_s_whether_the_environment_names_the_user_or_not() {
        let of = |name: Option<&str>, user, list: Option<&str>| {
            let directory = directory_of(name.map(str::to_owned), user, || list.map(str::to_owned));
            directory.to_str().map(|path| path.trim_start_matches("/dev/shm/aeron-").to_owned())
        };
        for (found, expected) in [
            (of(Some("eve"), 1000, Some(LIST)), "eve"),
            (of(Some(""), 1000, Some(LIST)), "ana"),
            (of(None, 0, Some(LIST)), "root"),
            (of(None, 100, Some(LIST)), "default"),
            (of(None, 0, None), "default"),
        ] {
            assert_eq!(found.as_deref(), Some(expected));
        }
    }
}

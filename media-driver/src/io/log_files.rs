//! Creates and deletes log files at the conductor's request. The runtime calls it on a thread of its own, because
//! reserving, faulting in and unmapping large logs takes milliseconds, or in line if there is only one thread.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use gannet::logbuffer::LogBuffers;
use gannet::memory::RawAccess;

use crate::mailbox::{CreateLog, DeleteLog, EndpointError, Reply, Request};

/// Executes the request. Returns the reply. Takes as long as the file system does. A log in the reply belongs to the
/// agents that requested it.
pub fn execute(request: Request, raw: RawAccess) -> Reply {
    match request {
        Request::CreateLog(request) => create(&request, raw),
        Request::DeleteLog(request) => delete(request),
        Request::ResolveChannel(request) => Reply::ChannelResolved {
            id: request.id,
            channel: Err(EndpointError::System("this driver has no network".to_owned())),
            lookups_ns: Vec::new(),
        },
        Request::ResolveHost(request) => Reply::HostResolved { index: request.index, address: None, lookup_ns: 0 },
        Request::OpenEndpoint(request) => Reply::EndpointNotOpened {
            id: request.id,
            error: EndpointError::System("this driver has no transport".to_owned()),
        },
        Request::Reconnect(_, id, _) => Reply::Reconnected { id },
        Request::CloseEndpoint(_, id) => Reply::EndpointClosed { id },
    }
}

fn create(request: &CreateLog, raw: RawAccess) -> Reply {
    let CreateLog { registration_id, path, parameters, mode, reserve } = request;
    match LogBuffers::create(path, parameters, *mode, *reserve, raw) {
        Ok(log) => Reply::LogCreated { registration_id: *registration_id, log, space_left: space_left_beside(path) },
        Err(error) => Reply::LogNotCreated { registration_id: *registration_id, error },
    }
}

fn delete(request: DeleteLog) -> Reply {
    let DeleteLog { registration_id, path, log } = request;
    // The mapping first, because the space of a deleted file is only freed with its last mapping.
    drop(log);
    match fs::remove_file(&path) {
        Ok(()) => Reply::LogDeleted { registration_id },
        // Something else has deleted the file, such as a user who cleared the directory.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Reply::LogDeleted { registration_id },
        Err(error) => Reply::LogNotDeleted { registration_id, path, error },
    }
}

/// The free space of the file's file system for an unprivileged user, in bytes.
fn space_left_beside(path: &Path) -> Option<u64> {
    let stat = rustix::fs::fstatvfs(File::open(path).ok()?).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw_access::RAW;
    use gannet::logbuffer::{LogKind, LogParameters};
    use gannet::memory::Reserve;
    use gannet::types::{RegistrationId, SessionId, StreamId, TermId, TermLength};

    fn create_request(path: &Path) -> Request {
        Request::CreateLog(CreateLog {
            registration_id: RegistrationId::new(7),
            path: path.to_owned(),
            parameters: LogParameters::ipc(
                LogKind::Concurrent,
                TermLength::MIN,
                SessionId::new(1),
                StreamId::new(2),
                TermId::new(3),
            ),
            mode: 0o600,
            reserve: Reserve::Space,
        })
    }

    #[test]
    fn a_log_is_created_and_deleted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("7.logbuffer");
        let Reply::LogCreated { registration_id, log, space_left } = execute(create_request(&path), RAW) else {
            panic!("not created")
        };
        assert_eq!(registration_id, RegistrationId::new(7));
        assert!(space_left.is_some());
        assert_eq!(fs::metadata(&path).unwrap().len(), 3 * 65_536 + 4096);
        let again = execute(create_request(&path), RAW);
        assert!(matches!(again, Reply::LogNotCreated { .. }), "{again:?}");
        let delete = |log| Request::DeleteLog(DeleteLog { registration_id, path: path.clone(), log });
        assert!(matches!(execute(delete(Some(log)), RAW), Reply::LogDeleted { .. }));
        assert!(!path.exists());
        assert!(matches!(execute(delete(None), RAW), Reply::LogDeleted { .. }), "gone is gone");
    }

    #[test]
    fn a_file_that_cannot_be_removed_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a-directory");
        fs::create_dir(&path).unwrap();
        let registration_id = RegistrationId::new(7);
        let reply = execute(Request::DeleteLog(DeleteLog { registration_id, path: path.clone(), log: None }), RAW);
        let Reply::LogNotDeleted { path: left, .. } = reply else { panic!("{reply:?}") };
        assert_eq!(left, path);
    }
}

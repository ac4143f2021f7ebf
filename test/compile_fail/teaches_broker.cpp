// teaches: broker_policy, open_upload
#include "lessons.hpp"

using namespace replica;
using replica::test::TableRing;
using Accounts = BasicAccountBroker<SimDisk, SimClock>;

struct Bad {
    using kind_type = AccountKind;
    using database_type = Accounts::database_type;
    using disk_type = SimDisk;
    using clock_type = SimClock;
    Accounts broker;
    database_type open(const std::string& path, Instant deadline) {
        return broker.open(path, deadline);
    }
#ifdef FIXED
    database_type open_upload(const std::string& path, Instant deadline) {
        return broker.open_upload(path, deadline);
    }
#endif
    disk_type& disk() { return broker.disk(); }
    clock_type& clock() { return broker.clock(); }
};

bool everywhere(const Device&);

void make(Accounts broker, TableRing ring, SimTransport transport, SimFileSync files,
          SimClock clock) {
#ifdef EXPLICIT
    Replicator<Bad, TableRing, SimTransport, SimFileSync, SimClock> replicator(
        Settings(), Bad{broker}, ring, transport, files, clock, everywhere);
#else
    Replicator replicator(Settings(), Bad{broker}, ring, transport, files, clock, everywhere);
#endif
    replicator.run_once();
}

int main() {}

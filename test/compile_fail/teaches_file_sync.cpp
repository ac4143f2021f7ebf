// teaches: file_sync_policy, send
#include "lessons.hpp"

using namespace replica;
using replica::test::TableRing;
using Accounts = BasicAccountBroker<SimDisk, SimClock>;

struct Bad {
#ifdef FIXED
    Result<Sent> send(const auto&, const Upload&, Instant, const std::stop_token&) {
        return Sent{};
    }
#endif
};

bool everywhere(const Device&);

void make(Accounts broker, TableRing ring, SimTransport transport, SimFileSync files,
          SimClock clock) {
#ifdef EXPLICIT
    Replicator<Accounts, TableRing, SimTransport, Bad, SimClock> replicator(
        Settings(), broker, ring, transport, Bad{}, clock, everywhere);
#else
    Replicator replicator(Settings(), broker, ring, transport, Bad{}, clock, everywhere);
#endif
    replicator.run_once();
}

int main() {}

// Keeps the account databases of a node equal to their replicas. Reads the configuration of
// swift-account-replicator, takes its command line, and serves REPLICATE if replica_port is set.

#include <replica/daemon/run.hpp>
#include <replica/sqlite/account.hpp>

int main(int argc, char** argv) {
    namespace daemon = replica::daemon;
    using Kind = replica::AccountKind;
    return daemon::run_daemon(argc, argv, {Kind::name, Kind::default_port},
                              daemon::run<replica::AccountBroker>);
}

// Keeps the container databases of a node equal to their replicas. Reads the configuration of
// swift-container-replicator, takes its command line, and serves REPLICATE if replica_port is set.

#include <replica/daemon/run.hpp>
#include <replica/sqlite/container.hpp>

int main(int argc, char** argv) {
    namespace daemon = replica::daemon;
    using Kind = replica::ContainerKind;
    return daemon::run_daemon(argc, argv, {Kind::name, Kind::default_port},
                              daemon::run<replica::ContainerBroker>);
}

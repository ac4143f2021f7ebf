// `replica`, one tool for people who run the daemons: looks into databases and at nodes, and
// compares databases with those of peers. Nothing that it does changes a file here. Usage: replica
// --help

#include <replica/account/kind.hpp>
#include <replica/beast/http.hpp>
#include <replica/beast/transport.hpp>
#include <replica/daemon/config.hpp>
#include <replica/daemon/secret_file.hpp>
#include <replica/daemon/settings_file.hpp>
#include <replica/daemon/swift_conf.hpp>
#include <replica/disk/addresses.hpp>
#include <replica/ring/any_ring.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/tool/info.hpp>
#include <replica/tool/node.hpp>
#include <replica/tool/status.hpp>
#include <replica/tool/text.hpp>
#include <replica/tool/verify.hpp>
#include <replica/version.hpp>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <future>
#include <iostream>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

using namespace replica;

namespace {

enum Code {
    fine = 0,
    cannot = 1,
    usage = 2,
    trouble = 3,
    silent = 4
};

struct Options {
    bool json = false;
    std::string database;
    std::string swift_conf = "/etc/swift/swift.conf";
    tool::RowFilter rows;
    bool only_live = false;
    bool only_deleted = false;
    std::vector<std::string> hosts;
    std::string config;
    std::string port = "16201";
    double patience = 5;
    std::vector<std::string> names; ///< Of verify: "account/container", or "account".
    double again = 2;
};

/// Calls `use` with a broker that changes nothing and the open database.
template <class Use>
int with_database(const Options& options, Use use) {
    const std::string path =
        std::filesystem::absolute(options.database).lexically_normal().string();
    SqliteOptions only_look;
    only_look.migrate = false;
    const auto deadline = SystemClock().monotonic() + to_duration(Seconds(25));
    const auto open = [&](auto broker) {
        auto database = broker.open(path, deadline);
        return use(broker, database, path);
    };
    // By its place, and without one by its tables.
    if (path.find("/accounts/") != path.npos) {
        return open(AccountBroker(PosixDisk(), SystemClock(), only_look));
    }
    try {
        return open(ContainerBroker(PosixDisk(), SystemClock(), only_look));
    } catch (const Failure& failure) {
        if (failure.error() != Error::missing_table || path.find("/containers/") != path.npos) {
            throw;
        }
        return open(AccountBroker(PosixDisk(), SystemClock(), only_look));
    }
}

int info(const Options& options) {
    std::optional<HashPath> hash_path;
    if (std::filesystem::exists(options.swift_conf)) {
        const auto conf = daemon::read_swift_conf(options.swift_conf);
        hash_path = HashPath{conf.hash_path_prefix, conf.hash_path_suffix};
    }
    return with_database(options, [&](auto& broker, auto& database, const std::string& path) {
        const auto about = tool::info_of(broker, database, path, hash_path);
        std::cout << (options.json ? boost::json::serialize(about) + '\n' : tool::lines_of(about));
        return fine;
    });
}

int rows(Options& options) {
    options.rows.live = !options.only_deleted;
    options.rows.deleted = !options.only_live;
    return with_database(options, [&](auto&, auto& database, const std::string&) {
        bool first = true;
        const auto shown = tool::for_each_row(database, options.rows, [&](const auto& row) {
            const auto object = tool::object_of(row);
            if (options.json) {
                std::cout << boost::json::serialize(object) << '\n';
                return;
            }
            std::cout << (first ? "" : "\n") << tool::lines_of(object);
            first = false;
        });
        return shown > 0 || !options.rows.name ? fine : trouble;
    });
}

/// The nodes of the ring that a configuration names, at its replica_port.
std::vector<std::string> nodes_of(const std::string& config) {
    const auto read = daemon::Config::read(std::filesystem::absolute(config));
    const std::string kind = read.has("container-replicator") ? "container" : "account";
    const auto settings = daemon::load_settings(read, kind + "-replicator").settings;
    if (settings.replica_port <= 0) {
        throw Failure(Error::bad_config,
                      config + ": replica_port is not set, so no node has a page");
    }
    AnyRing<> ring(daemon::ring_path(settings, kind), {}, {});
    std::set<std::string> nodes;
    for (const Device& device : ring.version().devices()) {
        nodes.insert(http::authority_of(device.replication_ip,
                                        static_cast<std::uint16_t>(settings.replica_port)));
    }
    return {nodes.begin(), nodes.end()};
}

int status(const Options& options) {
    const auto hosts = options.hosts.empty() ? nodes_of(options.config) : options.hosts;
    std::vector<std::future<tool::NodeStatus>> asked;
    for (const std::string& host : hosts) {
        asked.push_back(std::async(std::launch::async, [&options, host] {
            const auto node = tool::HostPort::of(host, options.port);
            tool::NodeStatus found{node.host + ':' + node.port, {}, {}};
            const auto reply = tool::get_page(node, "/status.json", Seconds(options.patience));
            if (!reply) {
                found.fault = reply.error().what;
                return found;
            }
            boost::system::error_code code;
            auto value = boost::json::parse(reply->body, code);
            if (reply->status == 200 && !code && value.is_object()) {
                found.status = std::move(value.get_object());
            } else {
                found.fault = "answered " + std::to_string(reply->status) +
                              " and no status: is it a server of ours, and of this version?";
            }
            return found;
        }));
    }
    std::vector<tool::NodeStatus> nodes;
    for (auto& each : asked) {
        nodes.push_back(each.get());
    }
    std::cout << (options.json ? boost::json::serialize(tool::status_object(nodes)) + '\n'
                               : tool::status_text(nodes));
    const auto health = tool::health_of(nodes);
    return health == tool::Health::well ? fine : health == tool::Health::trouble ? trouble : silent;
}

/// The settings of a daemon, as it would have them.
daemon::DaemonSettings settings_of(const daemon::Config& config, const std::string& kind,
                                   int port) {
    auto settings = daemon::load_settings(config, kind + "-replicator").settings;
    apply(daemon::read_swift_conf(std::filesystem::path(settings.swift_dir) / "swift.conf"),
          settings);
    settings.bind_port = settings.bind_port == 0 ? port : settings.bind_port;
    return settings;
}

std::vector<Device> local_devices_of(const std::vector<Device>& all, const Settings& settings) {
    const auto own = own_addresses(settings.bind_ip);
    std::vector<Device> local;
    for (const Device& device : all) {
        if (device.replication_port == settings.bind_port &&
            is_local(own, settings.bind_port, device)) {
            local.push_back(device);
        }
    }
    if (local.empty()) {
        throw Failure(Error::bad_config,
                      "no device of the ring is this node's: see bind_ip and bind_port");
    }
    return local;
}

void print(const Options& options, const tool::Finding& finding) {
    if (options.json) {
        std::cout << boost::json::serialize(finding.json()) << std::endl;
        return;
    }
    std::cout << (finding.verdict == tool::Verdict::differs ? "DIFFERS  " : "UNKNOWN  ")
              << finding.path << (finding.peer.empty() ? "" : "  and  " + finding.peer);
    const char* before = "  in ";
    for (const std::string& each : finding.in) {
        std::cout << std::exchange(before, ", ") << each;
    }
    std::cout << (finding.why.empty() ? "" : "  " + tool::printable(finding.why)) << std::endl;
}

/// What verify counts, and shows on a terminal while it works.
struct Progress {
    std::int64_t databases = 0;
    std::int64_t comparisons = 0;
    std::set<std::string> doubtful{};
    bool shows = ::isatty(STDERR_FILENO) == 1;

    void note(const std::string& path, const std::vector<tool::Finding>& findings) {
        ++databases;
        comparisons += std::ssize(findings);
        for (const auto& finding : findings) {
            if (finding.verdict != tool::Verdict::same) {
                doubtful.insert(path);
            }
        }
        if (shows && databases % 100 == 0) {
            std::cerr << '\r' << databases << " databases, " << doubtful.size() << " in doubt"
                      << std::flush;
        }
    }
};

template <class B>
int verify(const Options& options, const daemon::Config& config) {
    using Kind = typename B::kind_type;
    const std::string kind(Kind::name);
    const auto settings = settings_of(config, kind, Kind::default_port);
    SqliteOptions only_look;
    only_look.migrate = false;
    B broker(PosixDisk(), SystemClock(), only_look);
    AnyRing<> watched(daemon::ring_path(settings, kind), {}, {});
    const auto ring = watched.version();
    BeastOptions transport_options(settings, kind);
    const auto secrets = daemon::read_secrets(settings.shared_secret_file);
    transport_options.secret = secrets.empty() ? std::string() : secrets.front();
    BeastTransport transport(transport_options);
    const auto local = local_devices_of(ring.devices(), settings);
    std::random_device random;
    tool::Verifier verifier(static_cast<const Settings&>(settings), broker, ring, transport, local,
                            std::uint64_t{random()} << 32U | random());

    Progress progress;
    std::vector<tool::Finding> bad;
    const auto check = [&](const std::string& path) { progress.note(path, verifier.check(path)); };
    for (const Device& device : local) {
        const std::string root = storage::device_path(settings.devices, device.device);
        if (settings.mount_check && !broker.disk().is_mount(root)) {
            bad.push_back({tool::Verdict::unknown, root, {}, {}, "is not mounted"});
        } else if (options.names.empty()) {
            verifier.each_database(root, check);
        } else {
            for (const std::string& name : options.names) {
                const HashPath hash_path{settings.hash_path_prefix, settings.hash_path_suffix};
                verifier.each_named(root, hash_path('/' + name), check);
            }
        }
    }
    std::cerr << (progress.shows && progress.databases >= 100 ? "\n" : "");
    if (progress.databases == 0 && !options.names.empty() && bad.empty()) {
        throw Failure(Error::missing, "this node has no " + kind + " of that name");
    }
    if (!progress.doubtful.empty()) { // a write on its way is no difference
        SystemClock().sleep_until(SystemClock().monotonic() + to_duration(Seconds(options.again)),
                                  {});
    }
    for (const std::string& path : progress.doubtful) {
        for (auto& finding : verifier.check(path)) {
            if (finding.verdict != tool::Verdict::same) {
                bad.push_back(std::move(finding));
            }
        }
    }
    bool differs = false;
    for (const tool::Finding& finding : bad) {
        print(options, finding);
        differs = differs || finding.verdict == tool::Verdict::differs;
    }
    if (!options.json) {
        std::cout << kind << ": " << progress.databases << " databases, " << progress.comparisons
                  << " comparisons, " << bad.size() << " that are not the same\n";
    }
    return differs ? trouble : bad.empty() ? fine : silent;
}

int verify(const Options& options) {
    const auto config = daemon::Config::read(std::filesystem::absolute(options.config));
    return config.has("container-replicator") ? verify<ContainerBroker>(options, config)
                                              : verify<AccountBroker>(options, config);
}

void describe_looks(CLI::App& app, Options& options) {
    auto* const info_command = app.add_subcommand(
        "info", "Say what a database file is: times, sums, metadata, sync points, shard ranges");
    info_command->add_option("DB", options.database, "The file, <hash>.db")->required();
    info_command->add_option(
        "--swift-conf", options.swift_conf,
        "Where swift_hash_path_suffix is, to tell whether the file lies in its "
        "place. Usually /etc/swift/swift.conf; not told if it is not there");

    auto* const rows_command = app.add_subcommand(
        "rows", "Print the rows of a database, tombstones included, in the order of ROWIDs. Exit "
                "code 3 if the row of --name is not there");
    rows_command->add_option("DB", options.database, "The file, <hash>.db")->required();
    rows_command->add_option("--name", options.rows.name, "Only the row of this name");
    rows_command->add_option("--prefix", options.rows.prefix, "Only names that begin so");
    rows_command->add_option("--above", options.rows.above, "Only ROWIDs above this one");
    rows_command->add_option("--limit", options.rows.most, "At most so many rows");
    auto* const live = rows_command->add_flag("--live", options.only_live, "No tombstones");
    rows_command->add_flag("--deleted", options.only_deleted, "Only tombstones")->excludes(live);

    auto* const status_command = app.add_subcommand(
        "status",
        "Show nodes side by side: passes, devices, peers, lag, and what is wrong. Exit code "
        "3 if something is, 4 if a node does not answer");
    status_command->add_option("HOST", options.hosts,
                               "HOST or HOST:PORT of the nodes. None: all nodes of the ring that "
                               "--config names");
    status_command->add_option("--port", options.port, "Of hosts without one (default 16201)");
    status_command->add_option("--config", options.config,
                               "A daemon's configuration: its ring and its replica_port. Usually "
                               "/etc/swift/container-server.conf");
    status_command->add_option("--timeout", options.patience, "Seconds for each node (default 5)")
        ->check(CLI::Range(0.01, 86400.0));
}

void describe_verify(CLI::App& app, Options& options) {
    auto* const verify_command = app.add_subcommand(
        "verify", "Prove that the databases of this node are those of their peers, row for row and "
                  "in every column. Exit code 3 if one differs, 4 if some could not be compared. "
                  "Changes nothing here; rows that wait beside a peer's file are committed there");
    verify_command
        ->add_option("CONFIG", options.config,
                     "The daemon's configuration, such as /etc/swift/container-server.conf")
        ->required();
    verify_command->add_option("--container,--account", options.names,
                               "Only ACCOUNT/CONTAINER, or ACCOUNT. May be given again");
    verify_command
        ->add_option("--again", options.again,
                     "What differs is compared once more after so many seconds: writes may have "
                     "been on their way (default 2)")
        ->check(CLI::Range(0.0, 86400.0));
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app{
        "Looks into replicated databases and at the nodes that keep them. Changes nothing."};
    app.set_version_flag("--version", version_text());
    app.require_subcommand(1);
    app.footer(
        "\nExit codes: 0 all is well; 1 it could not be done, and stderr says why; 2 a command "
        "line that\ncannot be read; 3 something is not as it should be; 4 a node does not "
        "answer.\n\nreplica COMMAND --help tells more of a command.");

    describe_looks(app, options);
    describe_verify(app, options);
    for (auto* const command : app.get_subcommands({})) {
        command->add_flag("--json", options.json, "For programs: JSON, one value a line");
    }

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? fine : usage;
    }
    if (options.config.empty()) {
        options.config = "/etc/swift/container-server.conf";
    }
    try {
        return app.got_subcommand("verify") ? verify(options)
               : app.got_subcommand("info") ? info(options)
               : app.got_subcommand("rows") ? rows(options)
                                            : status(options);
    } catch (const std::exception& error) {
        std::cerr << "replica: " << error.what() << '\n';
        return cannot;
    }
}

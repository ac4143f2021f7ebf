// `replica`, one tool for people who run the daemons: looks into databases and at nodes, compares
// databases with those of peers, and says what a pass would do. Only `undo` and `repair` change
// files. Usage: replica --help

#include "replica_tool/looks.hpp"
#include "replica_tool/options.hpp"
#include "replica_tool/plan.hpp"
#include "replica_tool/repair.hpp"
#include "replica_tool/status.hpp"
#include "replica_tool/undo.hpp"
#include "replica_tool/verify.hpp"
#include <replica/daemon/config.hpp>
#include <replica/version.hpp>

#include <CLI/CLI.hpp>

#include <exception>
#include <filesystem>
#include <iostream>
#include <string>

using namespace replica;
using namespace replica::commands;

namespace {

constexpr const char* exit_codes =
    "Exit codes: 0 all is well; 1 it could not be done, and stderr says why; 2 a command "
    "line that\ncannot be read; 3 something is not as it should be; 4 a node does not answer.";

/// Ends the help of a command with a line to try. packaging/manual.py takes it from there.
void show(CLI::App& command, const std::string& what, const std::string& line) {
    command.footer("\nExample, " + what + ":\n  replica " + command.get_name() + ' ' + line +
                   "\n\n" + exit_codes);
}

void describe_looks(CLI::App& app, Options& options) {
    auto* const info_command = app.add_subcommand(
        "info", "Say what a database file is: times, sums, metadata, sync points, shard ranges");
    info_command->add_option("DB", options.database, "The file, <hash>.db")->required();
    info_command->add_option(
        "--swift-conf", options.swift_conf,
        "Where swift_hash_path_suffix is, to tell whether the file lies in its "
        "place. Usually /etc/swift/swift.conf; not told if it is not there");
    show(*info_command, "all that one database says of itself",
         "/srv/node/sda/containers/812/e1d/HASH/HASH.db");

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
    show(*rows_command, "the first ten objects below a prefix",
         "/srv/node/sda/containers/812/e1d/HASH/HASH.db --prefix 2024/ --live --limit 10");

    auto* const status_command = app.add_subcommand(
        "status",
        "Show nodes side by side: passes, devices, peers, lag, and each failure that is not over, "
        "with what to do. Exit code 3 if something is wrong, 4 if a node does not answer");
    status_command->add_option("HOST", options.hosts,
                               "HOST or HOST:PORT of the nodes. None: all nodes of the ring that "
                               "--config names");
    status_command->add_option("--port", options.port, "Of hosts without one (default 16201)");
    status_command->add_option("--config", options.config,
                               "A daemon's configuration: its ring and its replica_port. Usually "
                               "/etc/swift/container-server.conf");
    status_command->add_option("--timeout", options.patience, "Seconds for each node (default 5)")
        ->check(CLI::Range(0.01, 86400.0));
    show(*status_command, "all nodes of the ring", "--config /etc/swift/container-server.conf");
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
                               "Only ACCOUNT/CONTAINER, or ACCOUNT; with a slash before it or "
                               "without. May be given again");
    verify_command
        ->add_option("--again", options.again,
                     "What differs is compared once more after so many seconds: writes may have "
                     "been on their way (default 2)")
        ->check(CLI::Range(0.0, 86400.0));
    show(*verify_command, "one container",
         "/etc/swift/container-server.conf --container AUTH_test/photos");
}

void describe_plan(CLI::App& app, Options& options) {
    auto* const plan_command = app.add_subcommand(
        "plan", "Say what one pass of this node (--once) would do, in JSON, one line for each "
                "database and peer: what, and why. The last line is what the pass would count. "
                "Changes nothing here; rows that wait beside a peer's file are committed there");
    plan_command
        ->add_option("CONFIG", options.config,
                     "The daemon's configuration, such as /etc/swift/container-server.conf")
        ->required();
    show(*plan_command, "what would leave this node, and what only a brake keeps",
         "/etc/swift/container-server.conf | grep -E '\"do\":\"(hand_off|expire|keep)\"'");
}

void describe_changes(CLI::App& app, Options& options) {
    auto* const undo_command = app.add_subcommand(
        "undo", "List what was removed, replaced or put into quarantine on this node, or bring it "
                "back. Services may run; what took it away, a wrong ring or clock, must have been "
                "mended first. Exit code 3 if something stays where it is");
    undo_command
        ->add_option("CONFIG", options.config,
                     "The daemon's configuration, such as /etc/swift/container-server.conf")
        ->required();
    undo_command->add_option("DB", options.databases,
                             "What comes back: a path of the list, a hash, or a name "
                             "(/account/container). Without one, --all or --since: only list");
    undo_command->add_flag("--all", options.all, "All that was removed comes back");
    undo_command->add_option("--since", options.since,
                             "All that was removed at this time or later, as the list has it "
                             "(seconds since 1970)");
    show(*undo_command, "all that a wrong ring has drained since it came",
         "/etc/swift/container-server.conf --since 1795933698");

    auto* const repair_command = app.add_subcommand(
        "repair",
        "Replicate these databases of this node now, and compare them with their peers' "
        "afterwards. Works beside the service. Exit code 3 if one is not identical then, 4 if a "
        "peer does not answer");
    repair_command->add_option("DB", options.databases, "The files, <hash>.db")->required();
    repair_command->add_option("--config", options.config,
                               "The daemon's configuration. Usually "
                               "/etc/swift/container-server.conf, or account-server.conf for "
                               "files below accounts/");
    show(*repair_command, "one database of which a peer lacks rows",
         "--config /etc/swift/container-server.conf "
         "/srv/node/sda/containers/812/e1d/HASH/HASH.db");
}

/// Where the configuration is if nobody says so: as Swift's packages have it.
std::string usual_config(const Options& options) {
    const std::string first =
        options.databases.empty()
            ? std::string()
            : std::filesystem::absolute(options.databases.front()).lexically_normal().string();
    return first.find("/accounts/") == std::string::npos ? "/etc/swift/container-server.conf"
                                                         : "/etc/swift/account-server.conf";
}

/// What is missing where nobody has named the configuration, with an example.
std::string advice(const std::string& command, const Options& options) {
    const std::string example = " --config /etc/swift/another.conf";
    return "replica: without --config this is where " + command +
           " looks. Name the configuration that the daemon of this node has, for example:\n  "
           "replica " +
           command + example +
           (command == "repair" ? ' ' + options.databases.front()
                                : "\nor the nodes:\n  replica status 10.0.0.1:16201") +
           '\n';
}

int run(const std::string& command, Options& options) {
    return command == "verify"   ? verify(options)
           : command == "plan"   ? plan(options)
           : command == "undo"   ? undo(options)
           : command == "repair" ? repair(options)
           : command == "info"   ? info(options)
           : command == "rows"   ? rows(options)
                                 : status(options);
}

} // namespace

int main(int argc, char** argv) {
    daemon::occupy_standard_descriptors();
    Options options;
    CLI::App app{
        "Looks into replicated databases and at the nodes that keep them. Only undo and repair "
        "change anything."};
    app.set_version_flag("--version", version_text());
    app.require_subcommand(1);
    app.footer(std::string("\n") + exit_codes +
               "\n\nreplica COMMAND --help tells more of a command, with an example.");

    describe_looks(app, options);
    describe_verify(app, options);
    describe_plan(app, options);
    describe_changes(app, options);
    for (auto* const command : app.get_subcommands({})) {
        command->add_flag("--json", options.json, "For programs: JSON, one value a line");
    }

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? fine : usage;
    }
    const std::string command = app.get_subcommands().front()->get_name();
    const bool usual = options.config.empty() && (command == "repair" || command == "status");
    options.config = usual ? usual_config(options) : options.config;
    try {
        return run(command, options);
    } catch (const daemon::ConfigError& error) {
        std::cerr << "replica: " << error.what() << '\n'
                  << (usual ? advice(command, options) : std::string());
        return cannot;
    } catch (const std::exception& error) {
        std::cerr << "replica: " << error.what() << '\n';
        return cannot;
    }
}

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
#include <replica/version.hpp>

#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>
#include <string>

using namespace replica;
using namespace replica::commands;

namespace {

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

void describe_plan(CLI::App& app, Options& options) {
    auto* const plan_command = app.add_subcommand(
        "plan", "Say what one pass of this node (--once) would do, in JSON, one line for each "
                "database and peer: what, and why. The last line is what the pass would count. "
                "Changes nothing here; rows that wait beside a peer's file are committed there");
    plan_command
        ->add_option("CONFIG", options.config,
                     "The daemon's configuration, such as /etc/swift/container-server.conf")
        ->required();
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
    app.footer(
        "\nExit codes: 0 all is well; 1 it could not be done, and stderr says why; 2 a command "
        "line that\ncannot be read; 3 something is not as it should be; 4 a node does not "
        "answer.\n\nreplica COMMAND --help tells more of a command.");

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
    if (options.config.empty()) {
        const bool accounts = !options.databases.empty() &&
                              options.databases.front().find("/accounts/") != std::string::npos;
        options.config =
            accounts ? "/etc/swift/account-server.conf" : "/etc/swift/container-server.conf";
    }
    try {
        return app.got_subcommand("verify")   ? verify(options)
               : app.got_subcommand("plan")   ? plan(options)
               : app.got_subcommand("undo")   ? undo(options)
               : app.got_subcommand("repair") ? repair(options)
               : app.got_subcommand("info")   ? info(options)
               : app.got_subcommand("rows")   ? rows(options)
                                              : status(options);
    } catch (const std::exception& error) {
        std::cerr << "replica: " << error.what() << '\n';
        return cannot;
    }
}

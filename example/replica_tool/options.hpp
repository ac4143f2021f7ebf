// What the command line of `replica` has said, and the exit codes.
#ifndef REPLICA_EXAMPLE_REPLICA_TOOL_OPTIONS_HPP
#define REPLICA_EXAMPLE_REPLICA_TOOL_OPTIONS_HPP

#include <replica/tool/info.hpp>

#include <string>
#include <vector>

namespace replica::commands {

/// Exit codes.
enum Code {
    fine = 0,
    cannot = 1,
    usage = 2,
    trouble = 3,
    silent = 4
};

/// Of all commands together; each reads its own.
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
    std::vector<std::string> databases; ///< Of undo: words. Of repair: files.
    bool all = false;
    std::string since;
};

} // namespace replica::commands

#endif

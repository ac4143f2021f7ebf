// Short operations in every way in which the power can go, or one call of a disk, or one message.
// See cuts.hpp, failures.hpp and messages.hpp for what is gone through, look.hpp for what must
// hold.
//
// Usage: sim.exhaustive [OPERATION...] [--bound N] [--page BYTES]
//
// Without OPERATION: all of them, `failures` of them, and `messages`. At a point with more than N
// ways (usual: 1024) only those near to "all lost" and "all kept" are gone through, and the line
// says so. Pages of a database have BYTES (usual: 512, the size of a sector, with which few points
// have so many). The numbers are the same in each run, but for the seconds, which are those of the
// processor.

#include "cuts.hpp"
#include "failures.hpp"
#include "messages.hpp"
#include "operations.hpp"
#include <replica/account/kind.hpp>
#include <replica/container/kind.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace replica;

struct Options {
    std::set<std::string> names;
    std::uint64_t bound = 1024;
    int page = 512;

    [[nodiscard]] bool wants(const std::string& name) const {
        return names.empty() || names.contains(name);
    }
};

std::size_t tell(std::clock_t began, const std::vector<std::string>& complaints) {
    const double took = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
    std::cout << std::fixed << std::setprecision(1) << took << " s" << std::endl;
    for (const std::string& what : complaints) {
        std::cout << "  " << what << '\n';
    }
    return complaints.size();
}

template <class Kind>
std::size_t cut_power(const Options& options) {
    std::size_t complaints = 0;
    for (const auto& operation : test::operations<Kind>()) {
        if (!options.wants(operation.name)) {
            continue;
        }
        for (const std::size_t node : operation.cut) {
            const std::clock_t began = std::clock();
            const test::Report report =
                test::Cuts<Kind>(operation, node, options.bound, options.page).run();
            std::cout << Kind::name << ' ' << operation.name << ", node " << node << ": "
                      << report.calls << " calls, " << report.points << " points, " << report.states
                      << " states, " << report.distinct << " distinct, " << report.restarts
                      << " restarts, " << report.checked << " checked, " << report.uploads
                      << " uploads, " << report.beyond << " points beyond the bound";
            if (report.beyond > 0) {
                std::cout << " (" << report.least << " deviations)";
            }
            std::cout << ", ";
            complaints += tell(began, report.complaints);
        }
    }
    return complaints;
}

template <class Kind>
std::size_t fail_calls(const Options& options) {
    std::size_t complaints = 0;
    for (const auto& operation : test::operations<Kind>()) {
        for (const std::size_t node : {0U, 1U}) {
            if (options.wants("failures")) {
                const std::clock_t began = std::clock();
                test::Failures<Kind> failures(operation, node, options.bound >= 10'000);
                failures.run();
                std::cout << Kind::name << ' ' << operation.name << ", calls of node " << node
                          << " that fail: " << failures.calls() << " calls, " << failures.runs()
                          << " runs, ";
                complaints += tell(began, failures.complaints());
            }
        }
    }
    return complaints;
}

template <class Kind>
std::size_t lose_messages(const Options& options) {
    std::size_t complaints = 0;
    for (const auto& operation : test::conversations<Kind>()) {
        if (options.wants("messages")) {
            const std::clock_t began = std::clock();
            test::Messages<Kind> messages(operation);
            messages.run();
            std::cout << Kind::name << ' ' << operation.name << ": " << messages.requests()
                      << " requests, " << messages.runs() << " runs, ";
            complaints += tell(began, messages.complaints());
        }
    }
    return complaints;
}

template <class Kind>
std::size_t run(const Options& options) {
    return cut_power<Kind>(options) + fail_calls<Kind>(options) + lose_messages<Kind>(options);
}

} // namespace

int main(int count, char** arguments) {
    std::set<std::string> known{"failures", "messages"};
    for (const auto& operation : test::operations<ContainerKind>()) {
        known.insert(operation.name);
    }
    Options options;
    for (int at = 1; at < count; ++at) {
        const std::string word = arguments[at];
        if (word == "--bound" && at + 1 < count) {
            options.bound = std::strtoull(arguments[++at], nullptr, 10);
        } else if (word == "--page" && at + 1 < count) {
            options.page = std::atoi(arguments[++at]);
        } else if (known.contains(word)) {
            options.names.insert(word);
        } else {
            std::cerr << "unknown: " << word << "; known are --bound N, --page BYTES";
            for (const std::string& name : known) {
                std::cerr << ", " << name;
            }
            std::cerr << '\n';
            return 2;
        }
    }
    return run<ContainerKind>(options) + run<AccountKind>(options) == 0 ? 0 : 1;
}

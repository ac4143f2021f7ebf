// Whole clusters of the shipped code, SQLite included, in one thread and driven by one seed, with
// every fault that physics allows. See --help.

#include "history.hpp"

#include <CLI/CLI.hpp>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>

namespace {

using namespace replica;
using test::Config;
using test::Marks;
using test::Outcome;

[[nodiscard]] Outcome play(const Config& config, std::uint64_t seed, Marks& marks) {
    return config.containers != 0
               ? test::WorldHistory<ContainerKind>(config, seed, marks).run()
               : test::WorldHistory<AccountKind>(config, seed, marks).run();
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Plays random histories of simulated clusters and looks for lost rows.");
    std::string seed_text = "1";
    std::string changes;
    double minutes = 0;
    std::uint64_t count = 0;
    bool quiet = false;
    app.add_option("SEED", seed_text, "A number, or a hash of any length in hexadecimal digits");
    app.add_option("--minutes", minutes, "Play further seeds for so long");
    app.add_option("--count", count, "Play so many seeds");
    app.add_option("--config", changes, "Fields that are not drawn: \"kill=0 steps=500\"");
    app.add_flag("--quiet", quiet, "Print failures and the summary only");
    CLI11_PARSE(app, argc, argv);

    std::uint64_t seed = 0;
    const char* const end = seed_text.data() + seed_text.size();
    if (std::from_chars(seed_text.data(), end, seed).ptr != end) {
        seed = std::hash<std::string>()(seed_text);
    }
    Marks marks;
    std::uint64_t steps = 0;
    std::uint64_t played = 0;
    double days = 0;
    int failures = 0;
    const auto began = std::chrono::steady_clock::now();
    const auto minutes_gone = [&] {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() / 60;
    };
    do {
        Config config = Config::of(seed);
        config.read(changes);
        if (!quiet) {
            std::cout << "seed=" << seed << ' ' << config.text() << std::endl;
        }
        try {
            const Outcome outcome = play(config, seed, marks);
            steps += outcome.steps;
            days += outcome.seconds / 86400;
            if (!quiet) {
                std::printf("  ok: %llu steps, %.0f s, %lld rounds, digest %016llx, at %.2f min\n",
                            static_cast<unsigned long long>(outcome.steps), outcome.seconds,
                            static_cast<long long>(outcome.rounds),
                            static_cast<unsigned long long>(outcome.digest), minutes_gone());
            }
        } catch (const std::exception& failure) {
            ++failures;
            std::cout << "FAILED seed=" << seed << ": " << failure.what() << "\n  "
                      << config.text() << std::endl;
        }
        ++seed;
        ++played;
    } while (played < count || minutes_gone() < minutes);
    std::printf("%llu histories, %llu steps, %.2f days, %.1f minutes, %d failed\n",
                static_cast<unsigned long long>(played), static_cast<unsigned long long>(steps),
                days, minutes_gone(), failures);
    for (const auto& [mark, times] : marks.counts()) {
        std::printf("%10llu %s\n", static_cast<unsigned long long>(times), mark.c_str());
    }
    return failures == 0 ? 0 : 1;
}

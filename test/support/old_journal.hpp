#ifndef REPLICA_TEST_SUPPORT_OLD_JOURNAL_HPP
#define REPLICA_TEST_SUPPORT_OLD_JOURNAL_HPP

// The journal of a file that is gone, which SQLite plays back into the next file of its name
// (defect 7).

#include <cstdint>
#include <string>

namespace replica::test {

/// A journal of no page, by which SQLite cuts a file off after its first page.
[[nodiscard]] inline std::string cutting_journal() {
    std::string journal("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
    for (const std::uint32_t word : {0U, 1U, 1U, 512U, 4096U}) { // pages, a seed, three sizes
        for (const int shift : {24, 16, 8, 0}) {
            journal += static_cast<char>(word >> shift & 0xffU);
        }
    }
    journal.resize(512);
    return journal;
}

} // namespace replica::test

#endif // REPLICA_TEST_SUPPORT_OLD_JOURNAL_HPP

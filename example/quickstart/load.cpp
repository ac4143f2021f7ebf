// Writes data into the nodes of quickstart.sh through the library's brokers, as servers would: the
// packages of this machine, rows that arrive while a node is down, and a deletion. Each database
// starts on too few devices, or on a wrong one, so that the replicators have work. For
// bench/pass.sh it makes databases that are all alike.

#include "cluster.hpp"
#include "packages.hpp"
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <iostream>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace quickstart {

using replica::AccountKind;
using replica::ContainerKind;
using replica::ContainerRow;
using replica::Device;
using replica::ObjectRow;

constexpr auto account_name = "AUTH_debian";
constexpr std::int64_t batch = 10'000; // rows per transaction

/// Where the rows of a database are at the start.
enum class Start {
    one_primary,  ///< All rows on one of its devices.
    halves,       ///< Each of two devices has every second row.
    nine_and_one, ///< One device has nine rows of ten, another the tenth.
    handoff,      ///< All rows on the first handoff.
};

class Loader {
public:
    explicit Loader(const std::string& root) : containers_(root), accounts_(root) {}

    /// Loads whole packages with at most `limit` files in all.
    void fill(std::int64_t limit) {
        const InstalledPackages installed;
        std::vector<ContainerRow> account;
        std::int64_t rows = 0;
        for (const std::string& name : installed.names()) {
            const Package package = installed.read(name);
            const auto count = static_cast<std::int64_t>(package.files.size());
            if (count == 0 || rows + count > limit) {
                continue;
            }
            rows += count;
            ContainerRow& row = account.emplace_back();
            row.name = name;
            row.put_timestamp = base_time.internal();
            row.object_count = count;
            for (const ObjectRow& file : package.files) {
                row.bytes_used += file.size;
            }
            place(package);
            if (account.size() % 100 == 0) {
                std::cout << "  " << account.size() << " packages, " << rows << " files\n"
                          << std::flush;
            }
        }
        const std::string hash = accounts_.hash(std::string("/") + account_name);
        const auto primaries = accounts_.primaries(hash);
        const auto [even, odd] = split(account, 2);
        write_account(primaries[0], hash, even);
        write_account(primaries[1], hash, odd);
        std::cout << "  " << account.size() << " packages, " << rows
                  << " files; databases were put on one device (" << starts_[0]
                  << "), halved on two (" << starts_[1] << "), nine to one on two (" << starts_[2]
                  << "), on a wrong device (" << starts_[3] << ")\n";
    }

    /// Adds `count` rows to containers with a replica on the node `down`, on other nodes.
    void add(const std::string& down, std::int64_t count) {
        std::int64_t added = 0;
        std::int64_t touched = 0;
        for (const ContainerRow& container : listing()) {
            const std::string hash = hash_of(container.name);
            const auto devices = containers_.primaries(hash);
            const bool concerned = std::ranges::count(devices, down, &Device::replication_ip) > 0;
            if (container.deleted != 0 || !concerned || added == count) {
                continue;
            }
            const auto other = std::ranges::find_if(
                devices, [&](const Device& device) { return device.replication_ip != down; });
            std::vector<ObjectRow> rows;
            for (int i = 0; i < 10 && added < count; ++i, ++added) {
                ObjectRow& row = rows.emplace_back();
                row.name = "written/while/" + down + "/was/down/" + std::to_string(i);
                row.created_at = clock_.now().internal();
                row.etag = replica::to_hex(replica::md5(row.name));
                row.content_type = "text/plain";
            }
            open_container(containers_.path_of(*other, hash)).merge_items(rows, "");
            ++touched;
        }
        std::cout << "  " << added << " rows in " << touched << " containers\n";
    }

    /// Deletes a container of 20 files or more, on one device only: first its files, then itself.
    /// Prints its name.
    void remove() {
        const auto all = listing();
        const auto chosen = std::ranges::find_if(all, [](const ContainerRow& row) {
            return row.deleted == 0 && row.object_count >= 20;
        });
        if (chosen == all.end()) {
            throw std::runtime_error("no container with 20 files to delete");
        }
        const std::string hash = hash_of(chosen->name);
        auto database = open_container(containers_.path_of(containers_.primaries(hash)[1], hash));
        const std::string now = clock_.now().internal();
        auto rows = database.items_since(-1, chosen->object_count + batch);
        for (ObjectRow& row : rows) {
            row = ObjectRow{-1, row.name, now, 0, "application/deleted", "noetag", 1, 0};
        }
        database.merge_items(rows, "");
        auto times = database.info().timestamps();
        times.delete_timestamp = now;
        database.merge_timestamps(times);

        ContainerRow row = *chosen;
        row.delete_timestamp = now;
        row.object_count = row.bytes_used = 0;
        row.deleted = 1;
        open_account().merge_items(std::vector{row}, "");
        std::cout << chosen->name << '\n';
    }

    /// Makes containers that are all alike, on the first node only, with `count` rows. If `from` is
    /// not 0, the containers exist with `from` rows, and each gets `count` more.
    void alike(std::int64_t databases, std::int64_t from, std::int64_t count) {
        for (std::int64_t i = 0; i < databases; ++i) {
            const Package package{"alike-" + std::to_string(i), "1", numbered_files(from, count)};
            const std::string hash = hash_of(package.name);
            const auto devices = containers_.primaries(hash);
            const Device& first = *std::ranges::find(devices, first_node, &Device::replication_ip);
            if (from == 0) {
                write_container(first, hash, package, package.files);
            } else {
                merge(open_container(containers_.path_of(first, hash)), package.files);
            }
        }
    }

private:
    /// Files that are added are new.
    [[nodiscard]] std::vector<ObjectRow> numbered_files(std::int64_t from, std::int64_t count) {
        const std::string time = from > 0 ? clock_.now().internal() : base_time.internal();
        std::vector<ObjectRow> rows;
        for (std::int64_t i = from; i < from + count; ++i) {
            ObjectRow& row = rows.emplace_back();
            row.name = "usr/share/doc/file-" + std::to_string(i) + ".txt";
            row.created_at = time;
            row.size = 1000 + i;
            row.content_type = "text/plain";
            row.etag = replica::to_hex(replica::md5(row.name));
        }
        return rows;
    }

    [[nodiscard]] std::string hash_of(const std::string& container) const {
        return containers_.hash(std::string("/") + account_name + '/' + container);
    }

    [[nodiscard]] replica::Instant soon() {
        return clock_.monotonic() + replica::to_duration(replica::Seconds(30));
    }

    [[nodiscard]] replica::ContainerBroker::database_type open_container(const std::string& path) {
        return container_broker_.open(path, soon());
    }

    [[nodiscard]] replica::AccountBroker::database_type open_account() {
        const std::string hash = accounts_.hash(std::string("/") + account_name);
        return account_broker_.open(accounts_.path_of(accounts_.primaries(hash)[0], hash), soon());
    }

    [[nodiscard]] std::vector<ContainerRow> listing() {
        constexpr std::int64_t all = 1'000'000;
        auto rows = open_account().items_since(-1, all);
        std::ranges::sort(rows, {}, &ContainerRow::name);
        return rows;
    }

    /// Every `nth` row, and the other rows.
    template <class Row>
    [[nodiscard]] static std::pair<std::vector<Row>, std::vector<Row>>
    split(const std::vector<Row>& rows, std::size_t nth) {
        std::pair<std::vector<Row>, std::vector<Row>> parts;
        for (std::size_t i = 0; i < rows.size(); ++i) {
            (i % nth == 0 ? parts.first : parts.second).push_back(rows[i]);
        }
        return parts;
    }

    void place(const Package& package) {
        const std::string hash = hash_of(package.name);
        const auto primaries = containers_.primaries(hash);
        // The last digits of a hash choose neither partition nor device, so the four starts are
        // spread evenly.
        const auto choice = static_cast<std::size_t>(std::stoul(hash.substr(28), nullptr, 16));
        const Device& first = primaries[choice / 4 % primaries.size()];
        const Device& second = primaries[(choice / 4 + 1) % primaries.size()];
        const auto start = static_cast<Start>(choice % 4);
        ++starts_[choice % 4];
        switch (start) {
        case Start::one_primary:
            write_container(first, hash, package, package.files);
            return;
        case Start::handoff:
            write_container(containers_.first_handoff(hash), hash, package, package.files);
            return;
        case Start::halves:
        case Start::nine_and_one:
            const auto [some, others] = split(package.files, start == Start::halves ? 2 : 10);
            write_container(first, hash, package, some);
            write_container(second, hash, package, others);
            return;
        }
    }

    void write_container(const Device& device, const std::string& hash, const Package& package,
                         const std::vector<ObjectRow>& rows) {
        replica::ContainerInfo info;
        info.account = account_name;
        info.container = package.name;
        info.put_timestamp = base_time.internal();
        auto database = container_broker_.create(containers_.path_of(device, hash), info);
        merge(database, rows);
        replica::Metadata metadata;
        metadata.set({"X-Container-Meta-Version", package.version, base_time.internal()});
        database.merge_metadata(metadata);
    }

    void write_account(const Device& device, const std::string& hash,
                       const std::vector<ContainerRow>& rows) {
        replica::AccountInfo info;
        info.account = account_name;
        info.put_timestamp = base_time.internal();
        auto database = account_broker_.create(accounts_.path_of(device, hash), info);
        merge(database, rows);
    }

    template <class Database, class Row>
    static void merge(Database&& database, const std::vector<Row>& rows) {
        for (std::size_t at = 0; at < rows.size(); at += batch) {
            const auto count = std::min<std::size_t>(batch, rows.size() - at);
            database.merge_items(std::span(rows).subspan(at, count), "");
        }
    }

    replica::SystemClock clock_;
    Cluster<ContainerKind> containers_;
    Cluster<AccountKind> accounts_;
    replica::ContainerBroker container_broker_;
    replica::AccountBroker account_broker_;
    std::int64_t starts_[4] = {};
};

} // namespace quickstart

int main(int argc, char** argv) {
    CLI::App app{"Writes into the nodes that quickstart.sh made."};
    std::string root;
    std::string down;
    std::int64_t limit = 200'000;
    std::int64_t count = 1000;
    app.add_option("ROOT", root, "Directory of the nodes")->required();
    app.require_subcommand(1);
    auto* const fill = app.add_subcommand("fill", "Load the packages of this machine");
    fill->add_option("--max-objects", limit, "Files at most")->check(CLI::PositiveNumber);
    auto* const add = app.add_subcommand("add", "Add rows that a node which is down has missed");
    add->add_option("--down", down, "Address of the node")->required();
    add->add_option("--rows", count, "How many")->check(CLI::PositiveNumber);
    auto* const alike =
        app.add_subcommand("alike", "Make, or add to, containers that are all alike");
    std::int64_t databases = 1000;
    std::int64_t from = 0;
    alike->add_option("--databases", databases, "How many")->check(CLI::PositiveNumber);
    alike->add_option("--from", from, "Rows that each has")->check(CLI::NonNegativeNumber);
    alike->add_option("--rows", count, "Rows that each gets")->check(CLI::PositiveNumber);
    app.add_subcommand("remove", "Delete one container and print its name");
    CLI11_PARSE(app, argc, argv);
    try {
        quickstart::Loader loader(root);
        if (fill->parsed()) {
            loader.fill(limit);
        } else if (add->parsed()) {
            loader.add(down, count);
        } else if (alike->parsed()) {
            loader.alike(databases, from, count);
        } else {
            loader.remove();
        }
    } catch (const std::exception& error) {
        std::cerr << "quickstart.load: " << error.what() << '\n';
        return 1;
    }
    return 0;
}

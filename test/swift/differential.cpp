// Our half of differential.py: one call to a broker, or one request to the RpcServer over them, per
// line of standard input, and one line of answer each. Without arguments of its own the program is
// the test: it runs the script, which starts it again with "serve ROOT".

#include <replica/container/shards.hpp>
#include <replica/rpc.hpp>
#include <replica/sim/clock.hpp>
#include <replica/sqlite/account.hpp>
#include <replica/sqlite/container.hpp>
#include <replica/storage/storage.hpp>
#include <replica/words/json.hpp>
#include <replica/words/merge_items.hpp>
#include <replica/words/message.hpp>

#include <boost/json/object.hpp>

#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <functional>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace replica;

/// The arguments of a call by name.
class Arguments {
public:
    explicit Arguments(const boost::json::object& object) : object_(&object) {}

    [[nodiscard]] const boost::json::value& value(std::string_view name) const {
        const auto* const found = object_->if_contains({name.data(), name.size()});
        if (found == nullptr) {
            throw Failure(Error::bad_request, "no " + std::string(name));
        }
        return *found;
    }

    [[nodiscard]] std::string text(std::string_view name) const {
        std::string text;
        json::read(value(name), text, name);
        return text;
    }

    [[nodiscard]] std::int64_t integer(std::string_view name) const {
        std::int64_t number = 0;
        json::read(value(name), number, name);
        return number;
    }

    [[nodiscard]] Timestamp time(std::string_view name) const {
        const auto time = Timestamp::parse(text(name));
        if (!time) {
            throw Failure(Error::bad_request, std::string(name) + " is no time");
        }
        return *time;
    }

    [[nodiscard]] Direction direction() const {
        return value("incoming").as_bool() ? Direction::incoming : Direction::outgoing;
    }

private:
    const boost::json::object* object_;
};

template <class Value>
[[nodiscard]] std::string json_of(const Value& value) {
    std::string out;
    json::append(out, value);
    return out;
}

[[nodiscard]] std::string json_of(bool value) {
    return value ? "true" : "false";
}

/// Listed names, each as a row; a fold has none but its name.
template <class Row>
[[nodiscard]] std::string json_of(const std::vector<Listed<Row>>& listed) {
    std::string out;
    for (const auto& entry : listed) {
        out += out.empty() ? "[{\"fold\": " : ", {\"fold\": ";
        out += json_of(entry.fold) + ", ";
        json::append_members(out, entry.row);
        out += '}';
    }
    return listed.empty() ? "[]" : out + ']';
}

/// The calls to databases of one kind, and the requests.
template <class B>
class Served {
    using Database = typename B::database_type;
    using Row = row_type_of<B>;
    using Info = info_type_of<B>;
    static constexpr bool has_shard_ranges = requires(Database db) { db.shard_ranges(); };

public:
    Served(const std::string& root, const SimClock& clock)
        : broker_(PosixDisk(), clock), by_rows_(PosixDisk(), clock, small_steps()),
          server_(settings(root, 0), broker_), full_(settings(root, 101), broker_) {}

    /// The answer as JSON. Throws Failure.
    [[nodiscard]] std::string perform(const std::string& call, const Arguments& in) {
        if (call == "rpc" || call == "rpc_when_full") {
            return request(call == "rpc" ? server_ : full_, in);
        }
        if (call == "create") {
            return create(in);
        }
        if (call == "open_upload") {
            return json_of(broker_.open_upload(in.text("path"), Instant::max()).info().id);
        }
        if (call == "copy_by_rows") {
            by_rows_.open(in.text("path"), Instant::max())
                .copy_to(in.text("target"), Instant::max());
            return "null";
        }
        Database database = broker_.open(in.text("path"), Instant::max());
        const auto write = writes().find(call);
        if (write != writes().end()) {
            write->second(database, in);
            return "null";
        }
        if (call == "commit_pending") {
            storage::flush_pending(broker_, database, in.text("path"), Instant::max());
            return "null";
        }
        return read(database, call, in);
    }

private:
    using Write = std::function<void(Database&, const Arguments&)>;

    static SqliteOptions small_steps() {
        SqliteOptions options;
        options.copy_at_once = 0;
        options.page_rows = 7;
        return options;
    }

    static Settings settings(const std::string& root, double reserve) {
        Settings settings;
        settings.devices = root;
        settings.mount_check = false;
        settings.fallocate_reserve = {reserve, true};
        settings.hash_path_suffix = "endcap";
        settings.seed = 1;
        return settings;
    }

    std::string create(const Arguments& in) {
        Info info;
        info.account = in.text("account");
        info.put_timestamp = in.text("put_timestamp");
        if constexpr (requires { info.container; }) {
            info.container = in.text("container");
            info.storage_policy_index = in.integer("policy");
        }
        broker_.create(in.text("path"), info);
        return "null";
    }

    static std::string request(RpcServer<B>& server, const Arguments& in) {
        Request request;
        request.device = in.text("device");
        request.partition = in.text("partition");
        request.hash = in.text("hash");
        request.body = in.text("body");
        const Reply reply = server.handle(request);
        return "[" + json_of(std::int64_t{reply.status}) + ", " + json_of(reply.body) + "]";
    }

    static std::string read(Database& database, const std::string& call, const Arguments& in) {
        if (call == "info") {
            std::string out = "{";
            json::append_members(out, database.info());
            return out + '}';
        }
        if (call == "items_since") {
            return json_of(database.items_since(in.integer("point"), in.integer("count")));
        }
        if (call == "sync_point") {
            return json_of(database.sync_point(in.text("remote_id"), in.direction()));
        }
        if (call == "sync_points") {
            return json_of(database.sync_points(in.direction()));
        }
        if (call == "state") {
            return "[" + json_of(database.is_deleted()) + ", " + json_of(database.empty()) + "]";
        }
        if (call == "list") {
            Listing wanted;
            wanted.prefix = in.text("prefix");
            wanted.marker = in.text("marker");
            wanted.end_marker = in.text("end_marker");
            wanted.delimiter = in.text("delimiter");
            wanted.limit = in.integer("limit");
            wanted.storage_policy_index = in.integer("policy");
            return json_of(database.list(wanted));
        }
        if constexpr (has_shard_ranges) {
            if (call == "shard_ranges") {
                return json_of(database.shard_ranges());
            }
        }
        throw Failure(Error::bad_request, "unknown call " + call);
    }

    /// Rows in the form of merge_items on the wire.
    static std::vector<Row> rows(const Arguments& in) {
        auto items = message::decode_merge_items<Row>({"merge_items", {in.value("rows")}});
        if (!items.set_aside.empty()) {
            throw Failure(Error::bad_request, items.set_aside.front());
        }
        return std::move(items.rows);
    }

    static const std::map<std::string_view, Write>& writes() {
        static const std::map<std::string_view, Write> writes = [] {
            std::map<std::string_view, Write> all{
                {"put", [](Database& db, const Arguments& in) { db.put(rows(in)); }},
                {"merge_items",
                 [](Database& db, const Arguments& in) {
                     db.merge_items(rows(in), in.text("source"));
                 }},
                {"merge_syncs",
                 [](Database& db, const Arguments& in) {
                     const auto syncs =
                         message::decode_merge_syncs({"merge_syncs", {in.value("points")}});
                     db.merge_sync_points(syncs.points, in.direction());
                 }},
                {"merge_timestamps",
                 [](Database& db, const Arguments& in) {
                     db.merge_timestamps({in.text("created_at"), in.text("put_timestamp"),
                                          in.text("delete_timestamp")});
                 }},
                {"merge_metadata",
                 [](Database& db, const Arguments& in) { db.merge_metadata(in.text("metadata")); }},
                {"mark_deleted",
                 [](Database& db, const Arguments& in) { db.mark_deleted(in.time("time")); }},
                {"mark_put",
                 [](Database& db, const Arguments& in) { db.mark_put(in.time("time")); }},
                {"adopt", [](Database& db, const Arguments& in) { db.adopt(in.text("source")); }},
                {"reclaim", [](Database& db, const Arguments& in) {
                     db.reclaim(db.info(), in.time("age"), in.time("sync_age"));
                 }}};
            if constexpr (has_shard_ranges) {
                all["merge_shard_ranges"] = [](Database& db, const Arguments& in) {
                    db.merge_shard_ranges(shards::decode(in.value("ranges")));
                };
                all["set_storage_policy_index"] = [](Database& db, const Arguments& in) {
                    db.set_storage_policy_index(in.integer("policy"), in.time("time"));
                };
            }
            return all;
        }();
        return writes;
    }

    B broker_;
    B by_rows_;
    RpcServer<B> server_;
    RpcServer<B> full_; ///< Of a disk that is always below its reserve.
};

/// {"kind": "container", "call": ..., "now": ticks, arguments...} -> {"answer": ...} or
/// {"error": ..., "what": ...}
void serve(const std::string& root) {
    const SimClock clock(Timestamp{});
    const Instant start = clock.monotonic();
    Served<BasicContainerBroker<PosixDisk, SimClock>> containers(root, clock);
    Served<BasicAccountBroker<PosixDisk, SimClock>> accounts(root, clock);
    for (std::string line; std::getline(std::cin, line);) {
        std::string answer;
        try {
            const auto value = json::parse(line);
            const Arguments in(value.as_object());
            constexpr std::int64_t ns_per_tick = 10'000;
            clock.sleep_until(start + std::chrono::nanoseconds(in.integer("now") * ns_per_tick),
                              {});
            const std::string call = in.text("call");
            answer =
                "{\"answer\": " + (in.text("kind") == "container" ? containers.perform(call, in)
                                                                  : accounts.perform(call, in));
        } catch (const Failure& failure) {
            answer = "{\"error\": " + json_of(failure.code().message()) +
                     ", \"what\": " + json_of(std::string(failure.what()));
        }
        std::cout << answer << '}' << std::endl;
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> given(argv, argv + argc);
    if (given.size() == 3 && given[1] == "serve") {
        serve(given[2]);
        return 0;
    }
    // Tests run in the root of the source tree.
    std::vector<const char*> command{"/usr/bin/python3", "test/swift/differential.py", "--program",
                                     argv[0]};
    command.insert(command.end(), argv + 1, argv + argc);
    command.push_back(nullptr);
    execv(command.front(), const_cast<char* const*>(command.data()));
    std::perror(command.front());
    return 1;
}

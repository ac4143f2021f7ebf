#ifndef REPLICA_SQLITE_PAGE_TABLES_HPP
#define REPLICA_SQLITE_PAGE_TABLES_HPP

// The tables of a file that is read page by page, asked by the same statements as a connection: of
// SQL it knows SELECT columns FROM table. So what reads an info is written once (schema.hpp).

#include <replica/error.hpp>
#include <replica/sqlite/connection.hpp>
#include <replica/sqlite/known_schema.hpp>
#include <replica/sqlite/page_file.hpp>
#include <replica/sqlite/page_rows.hpp>
#include <replica/sqlite/schema.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace replica::sqlite {

/// The columns of a table in their order, in small letters.
struct PageColumns {
    std::vector<std::string> names;
    std::size_t rowid = static_cast<std::size_t>(-1); ///< The column that is the ROWID.
};

/// By the names of the tables.
using PageSchema = std::map<std::string, PageColumns, std::less<>>;

/// The columns of a CREATE TABLE. Throws NotPlain for any other text, and for a table whose
/// definition has more than columns.
[[nodiscard]] inline PageColumns page_columns(std::string_view sql) {
    const std::vector<std::string> tokens = tokens_of(sql);
    if (!is_create_table(tokens)) {
        throw NotPlain();
    }
    PageColumns columns;
    bool begins = true;
    for (std::size_t at = 4; at + 1 < tokens.size(); ++at) {
        const std::string& token = tokens[at];
        const bool is_word = (token[0] >= 'a' && token[0] <= 'z') || token[0] == '_';
        if (token == "(" || token == ")" || (begins && !is_word)) {
            throw NotPlain();
        }
        if (begins) {
            columns.names.push_back(token);
        } else if (token == "primary") {
            if (tokens[at - 1] != "integer") {
                throw NotPlain();
            }
            columns.rowid = columns.names.size() - 1;
        }
        begins = token == ",";
    }
    return columns;
}

/// The texts of schemas that connections have found to be current and Swift's or ours, for all
/// files of a process, and their tables. Thread safety: any thread.
class ApprovedSchemas {
public:
    /// Nullptr if it is not approved. Stays valid.
    [[nodiscard]] const PageSchema* find(std::string_view text) {
        const std::lock_guard lock(mutex_);
        const auto found = known_.find(text);
        return found == known_.end() ? nullptr : &found->second;
    }

    /// Whether it is worth the while to have a connection look at it.
    [[nodiscard]] bool is_open(std::string_view text) {
        const std::lock_guard lock(mutex_);
        return known_.size() < most_known &&
               !refused_.contains(std::hash<std::string_view>()(text));
    }

    void approve(std::string text, PageSchema schema) {
        const std::lock_guard lock(mutex_);
        if (known_.size() < most_known) {
            known_.try_emplace(std::move(text), std::move(schema));
        }
    }

    /// SQLite reads files of this schema.
    void refuse(std::string_view text) {
        const std::lock_guard lock(mutex_);
        if (refused_.size() < most_refused) {
            refused_.insert(std::hash<std::string_view>()(text));
        }
    }

private:
    static constexpr std::size_t most_known = 64; ///< A cluster of many Swifts has a dozen.
    static constexpr std::size_t most_refused = 1024;

    std::mutex mutex_;
    std::map<std::string, PageSchema, std::less<>> known_;
    std::set<std::size_t> refused_; ///< Digests: a text may have any size.
};

/// One entry of a schema, as ApprovedSchemas has it.
inline void append_entry(std::string& text, std::string_view type, std::string_view name,
                         std::string_view table, std::string_view sql) {
    for (const std::string_view part : {type, name, table, sql}) {
        text.append(part).push_back('\0');
    }
}

/// The rows that a SELECT has found. The calls are those of Query, for what our tables hold.
class PageQuery {
public:
    explicit PageQuery(std::vector<std::vector<PageValue>> rows) : rows_(std::move(rows)) {}

    [[nodiscard]] bool step() { return ++next_ <= rows_.size(); }

    [[nodiscard]] bool is_null(int column) const {
        return std::holds_alternative<std::monostate>(at(column));
    }

    /// 0 for a null, a whole number in text as the number. Throws NotPlain for other text.
    [[nodiscard]] std::int64_t integer(int column) const {
        if (const auto* const number = std::get_if<std::int64_t>(&at(column))) {
            return *number;
        }
        if (is_null(column)) {
            return 0;
        }
        const auto& text = std::get<std::string>(at(column));
        std::int64_t number = 0;
        const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (code != std::errc() || end != text.data() + text.size()) {
            throw NotPlain();
        }
        return number;
    }

    /// Empty for a null.
    [[nodiscard]] std::string text(int column) const { return text_or(column, ""); }

    [[nodiscard]] std::string text_or(int column, std::string_view other) const {
        if (const auto* const number = std::get_if<std::int64_t>(&at(column))) {
            return std::to_string(*number);
        }
        return is_null(column) ? std::string(other) : std::get<std::string>(at(column));
    }

private:
    [[nodiscard]] const PageValue& at(int column) const {
        return rows_.at(next_ - 1).at(static_cast<std::size_t>(column));
    }

    std::vector<std::vector<PageValue>> rows_;
    std::size_t next_ = 0;
};

/// The tables of a file within one snapshot, as long as its version stays.
class PageTables {
public:
    /// Throws NotPlain if the schema is not among the approved, and sets `unknown` if a connection
    /// should look at it; also for a root that is no page of the file.
    PageTables(PageFile& file, ApprovedSchemas& approved, bool& unknown)
        : file_(&file), version_(file.version()) {
        std::string text;
        each_row(file, 1, [&](const PageRow& row) {
            PageQuery entry({row.values});
            if (row.values.size() != 5 || !entry.step()) {
                throw NotPlain();
            }
            append_entry(text, entry.text(0), entry.text(1), entry.text(2), entry.text(4));
            const std::string type = entry.text(0);
            const auto root = static_cast<std::uint64_t>(entry.integer(3));
            const bool has_pages = type == "table" || type == "index";
            if (has_pages && (root < 2 || root > file.page_count())) {
                throw NotPlain();
            }
            roots_[entry.text(1)] = root;
        });
        schema_ = approved.find(text);
        if (schema_ == nullptr) {
            unknown = approved.is_open(text);
            throw NotPlain();
        }
    }

    [[nodiscard]] const std::string& path() const { return file_->path(); }
    [[nodiscard]] PageFile& file() { return *file_; }
    [[nodiscard]] std::uint64_t version() const { return version_; } ///< Of the file.

    /// All rows by their ROWID. Throws NotPlain for other SQL than SELECT columns FROM table.
    [[nodiscard]] PageQuery query(std::string_view sql) {
        constexpr std::string_view select("SELECT ");
        constexpr std::string_view from(" FROM ");
        const std::size_t split = sql.find(from);
        if (!sql.starts_with(select) || split == std::string_view::npos) {
            throw NotPlain();
        }
        const std::string_view table = sql.substr(split + from.size());
        const auto known = schema_->find(table);
        if (known == schema_->end()) {
            throw NotPlain();
        }
        const PageColumns& columns = known->second;
        const auto wanted = positions(columns, sql.substr(select.size(), split - select.size()));
        std::vector<std::vector<PageValue>> rows;
        each_row(*file_, root(table), [&](const PageRow& row) {
            std::vector<PageValue> values;
            values.reserve(wanted.size());
            for (const std::size_t column : wanted) {
                if (column == columns.rowid) {
                    values.emplace_back(row.rowid);
                } else if (column < row.values.size()) {
                    values.push_back(row.values[column]);
                } else {
                    throw NotPlain(); // a column that was added, with its default
                }
            }
            rows.push_back(std::move(values));
        });
        return PageQuery(std::move(rows));
    }

    /// The first column of the highest entry of an index; a null if there is none.
    [[nodiscard]] PageValue highest(std::string_view index) {
        auto entry = last_entry(*file_, root(index));
        return entry && !entry->values.empty() ? std::move(entry->values.front()) : PageValue();
    }

private:
    [[nodiscard]] std::uint64_t root(std::string_view name) const {
        const auto found = roots_.find(name);
        if (found == roots_.end()) {
            throw NotPlain();
        }
        return found->second;
    }

    [[nodiscard]] static std::vector<std::size_t> positions(const PageColumns& columns,
                                                            std::string_view list) {
        std::vector<std::size_t> found;
        while (!list.empty()) {
            const std::string_view name = list.substr(0, list.find(','));
            const auto at = std::ranges::find(columns.names, name);
            if (at == columns.names.end()) {
                throw NotPlain();
            }
            found.push_back(static_cast<std::size_t>(at - columns.names.begin()));
            list.remove_prefix(std::min(list.size(), name.size() + 2));
        }
        return found;
    }

    PageFile* file_;
    std::uint64_t version_;
    const PageSchema* schema_ = nullptr;
    std::map<std::string, std::uint64_t, std::less<>> roots_;
};

/// Approves the schema of a connection whose file is current (migrate.hpp), in the caller's
/// snapshot, if it is what Swift or we make. Of any other, no table is read without SQLite.
template <Schema S>
void approve_schema(Connection& connection, ApprovedSchemas& approved) {
    bool known = true;
    try {
        check_schema<S>(connection);
    } catch (const Failure& failure) {
        if (failure.error() != Error::unknown_schema) {
            throw;
        }
        known = false;
    }
    std::string text;
    PageSchema schema;
    Query found = connection.query(
        "SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master ORDER BY rowid");
    while (found.step()) {
        append_entry(text, found.view(0), found.view(1), found.view(2), found.view(3));
        if (found.view(0) == "table") {
            try {
                schema[found.text(1)] = page_columns(found.view(3));
            } catch (const NotPlain&) {
                continue; // SQLite reads it
            }
        }
    }
    known ? approved.approve(std::move(text), std::move(schema)) : approved.refuse(text);
}

/// For all files of a schema in this process. It begins with the text that our own script makes.
template <Schema S>
[[nodiscard]] ApprovedSchemas& approved_schemas() {
    struct Begun : ApprovedSchemas {
        Begun() {
            Connection memory(
                ":memory:", Connection::Mode::create, [](int, Instant) { return false; },
                Instant());
            memory.execute(std::string(S::script).append(sync_script).c_str());
            approve_schema<S>(memory, *this);
        }
    };
    static Begun schemas;
    return schemas;
}

} // namespace replica::sqlite

#endif // REPLICA_SQLITE_PAGE_TABLES_HPP

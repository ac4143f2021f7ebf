#ifndef REPLICA_SIM_SURVIVORS_HPP
#define REPLICA_SIM_SURVIVORS_HPP

// All that a power cut may leave of a file system, to be gone through (sim/chooser.hpp). The rules
// are those of sim/power_cut.hpp; a sector is not torn. One way of millions must cost next to
// nothing: what is left is known by its hash, and becomes bytes only for whoever has not seen the
// hash yet. Files that a lost name leads to are not asked about, nor sectors that never changed.

#include <replica/sim/chooser.hpp>
#include <replica/sim/node.hpp>
#include <replica/sim/power_cut.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace replica {

/// What is found at a path after a restart.
struct SimFound {
    enum class Kind {
        directory,
        file,
        link
    };

    Kind kind = Kind::directory;
    std::string bytes{}; ///< Of a link: its target.

    friend bool operator==(const SimFound&, const SimFound&) = default;
};

/// By path. A directory comes before what is in it.
using SimImage = std::map<std::string, SimFound>;

/// What one file system may be after a power cut. Plain bytes only. It looks at the nodes that it
/// was made from, which must not change. Not thread safe.
class SimSurvivors {
public:
    static constexpr std::size_t groups = 4;

    /// Paths are hashed in up to four groups, so that a part can be recognised on its own.
    using GroupOf = std::function<std::size_t(const std::string& path)>;

    /// One way in which the file system may be left. Two with equal hashes are the same.
    struct Survivor {
        std::array<std::uint64_t, groups> hashes{}; ///< By group.
        std::uint64_t names = 0;                    ///< The steps that were kept, a bit each.
        std::vector<std::size_t> picks{};           ///< All other answers.
    };

    SimSurvivors(SimNode::Pointer root, GroupOf group_of)
        : root_(std::move(root)), group_of_(std::move(group_of)) {
        SimPowerCut cut;
        cut.add(root_);
        steps_ = cut.steps();
        if (steps_.size() > 63) {
            throw std::length_error("too many names have changed since they were synced");
        }
    }

    /// How many ways there are, if they are no more than `most`.
    [[nodiscard]] std::optional<std::uint64_t> count(std::uint64_t most) {
        if (steps_.size() > 16) {
            return std::nullopt;
        }
        double sum = 0;
        for (std::uint64_t names = 0; names < std::uint64_t{1} << steps_.size(); ++names) {
            double ways = 1;
            for (const Varied& file : layout(names).varied) {
                ways *= file.model->ways();
            }
            sum += ways;
        }
        return sum <= static_cast<double>(most) ? std::optional(static_cast<std::uint64_t>(sum))
                                                : std::nullopt;
    }

    /// Asks what is kept: first each step of names, then the size and the sectors of each file.
    template <SimChooser C>
    void draw(C& chooser, Survivor& into) {
        into.names = 0;
        into.picks.clear();
        for (std::size_t at = 0; at < steps_.size(); ++at) {
            into.names |= std::uint64_t{chooser.choose(2)} << at;
        }
        const Layout& layout = this->layout(into.names);
        into.hashes = layout.hashes;
        const auto choose = [&](std::size_t n) {
            into.picks.push_back(n == 1 ? 0 : chooser.choose(n));
            return into.picks.back();
        };
        for (const Varied& file : layout.varied) {
            const Sized& sized = file.model->sizes[choose(file.model->sizes.size())];
            std::uint64_t sum = sized.sum;
            for (const Sector& sector : sized.sectors) {
                sum += sector.states[choose(sector.states.size())].hash;
            }
            into.hashes[file.group] += mix(file.path_hash, sum);
        }
    }

    /// The paths and bytes of one way, of all groups or of one.
    [[nodiscard]] SimImage image(const Survivor& survivor, std::optional<std::size_t> group = {}) {
        const Layout& layout = this->layout(survivor.names);
        SimImage image;
        for (const auto& [path, node] : layout.fixed) {
            if (!group || group_of_(path) == *group) {
                image[path] = {kind_of(*node), node->durable_content.bytes};
            }
        }
        auto pick = survivor.picks.begin();
        for (const Varied& file : layout.varied) {
            const Sized& sized = file.model->sizes[*pick++];
            std::string bytes = sized.bytes;
            for (const Sector& sector : sized.sectors) {
                const std::string& state = sector.states[*pick++].bytes;
                bytes.replace(sector.begin, state.size(), state);
            }
            if (!group || file.group == *group) {
                image[file.path] = {kind_of(*file.node), std::move(bytes)};
            }
        }
        return image;
    }

private:
    struct State {
        std::string bytes;
        std::uint64_t hash;
    };

    /// A sector that may be in several states.
    struct Sector {
        std::size_t begin;
        std::vector<State> states;
    };

    /// A file, given its size.
    struct Sized {
        std::string bytes;     // with every sector in its first state
        std::uint64_t sum = 0; // of the hashes of the sectors that have one state
        std::vector<Sector> sectors{};
    };

    /// A file whose bytes are not all synced.
    struct Model {
        std::vector<Sized> sizes;

        [[nodiscard]] double ways() const {
            double sum = 0;
            for (const Sized& sized : sizes) {
                double product = 1;
                for (const Sector& sector : sized.sectors) {
                    product *= static_cast<double>(sector.states.size());
                }
                sum += product;
            }
            return sum;
        }
    };

    struct Varied {
        std::string path;
        std::uint64_t path_hash;
        std::size_t group;
        const SimNode* node;
        const Model* model;
    };

    /// What does not depend on contents, given which names were kept.
    struct Layout {
        std::array<std::uint64_t, groups> hashes{};
        std::vector<std::pair<std::string, const SimNode*>> fixed{};
        std::vector<Varied> varied{};
    };

    /// The entries of directories in which some are not synced.
    using Entries = std::map<const SimNode*, SimNode::Entries>;

    [[nodiscard]] static std::uint64_t mix(std::uint64_t a, std::uint64_t b) {
        std::uint64_t z = (a ^ (b * 0x9e3779b97f4a7c15U)) + 0x9e3779b97f4a7c15U;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        return z ^ (z >> 31);
    }

    [[nodiscard]] static std::uint64_t hash(std::string_view bytes) {
        return std::hash<std::string_view>()(bytes);
    }

    [[nodiscard]] static SimFound::Kind kind_of(const SimNode& node) {
        return node.directory ? SimFound::Kind::directory
               : node.link    ? SimFound::Kind::link
                              : SimFound::Kind::file;
    }

    /// The different ones of a history: its first, what came between, its last.
    template <class T>
    [[nodiscard]] static std::vector<T> different(const std::vector<T>& history) {
        std::vector<T> result{history.front()};
        for (const T& each : history) {
            if (std::ranges::find(result, each) == result.end() && each != history.back()) {
                result.push_back(each);
            }
        }
        if (result.size() > 1 || history.back() != history.front()) {
            result.push_back(history.back());
        }
        return result;
    }

    [[nodiscard]] static Model model_of(const SimNode& node) {
        constexpr std::size_t sector_size = SimChanges::sector;
        const std::string& durable = node.durable_content.bytes;
        const auto sizes = different(node.changes.sizes(durable));
        const std::size_t largest = std::ranges::max(sizes);
        std::vector<std::vector<std::string>> history;
        for (std::size_t begin = 0; begin < largest; begin += sector_size) {
            history.push_back(different(node.changes.states(durable, begin)));
        }
        Model model;
        for (const std::size_t size : sizes) {
            Sized sized{std::string(), size};
            for (std::size_t begin = 0; begin < size; begin += sector_size) {
                auto states = history[begin / sector_size];
                if (size - begin < sector_size) {
                    for (std::string& state : states) {
                        state.resize(size - begin);
                    }
                    states = different(states);
                }
                sized.bytes += states.front();
                Sector sector{begin, {}};
                for (std::string& state : states) {
                    const std::uint64_t hashed = mix(begin + 1, hash(state));
                    sector.states.push_back({std::move(state), hashed});
                }
                if (sector.states.size() == 1) {
                    sized.sum += sector.states.front().hash;
                } else {
                    sized.sectors.push_back(std::move(sector));
                }
            }
            model.sizes.push_back(std::move(sized));
        }
        return model;
    }

    [[nodiscard]] const Model& model(const SimNode& node) {
        auto found = models_.find(&node);
        if (found == models_.end()) {
            found = models_.emplace(&node, model_of(node)).first;
        }
        return found->second;
    }

    [[nodiscard]] const Layout& layout(std::uint64_t names) {
        const auto found = layouts_.find(names);
        if (found != layouts_.end()) {
            return found->second;
        }
        Entries entries;
        for (std::size_t at = 0; at < steps_.size(); ++at) {
            if ((names >> at & 1U) == 0) {
                continue;
            }
            for (const SimPowerCut::Change& change : steps_[at]) {
                const SimNode& directory = *change.directory;
                auto& kept =
                    entries.try_emplace(&directory, directory.durable_entries).first->second;
                if (change.after) {
                    kept[change.name] = change.after;
                } else {
                    kept.erase(change.name);
                }
            }
        }
        Layout& layout = layouts_[names];
        add(*root_, "", entries, layout);
        return layout;
    }

    void add(const SimNode& directory, const std::string& path, const Entries& entries,
             Layout& layout) {
        const auto changed = entries.find(&directory);
        const auto& children =
            changed == entries.end() ? directory.durable_entries : changed->second;
        for (const auto& [name, child] : children) {
            std::string at = path;
            at.append("/").append(name);
            const std::uint64_t path_hash = hash(at) + (child->link ? 1 : 0);
            const std::size_t group = group_of_(at);
            if (!child->changes.empty()) {
                layout.varied.push_back({at, path_hash, group, child.get(), &model(*child)});
                continue;
            }
            layout.fixed.emplace_back(at, child.get());
            layout.hashes[group] += mix(path_hash, sum_of(*child));
            add(*child, at, entries, layout);
        }
    }

    /// As if the file were one of those that are not synced.
    [[nodiscard]] std::uint64_t sum_of(const SimNode& node) {
        if (node.directory) {
            return 1;
        }
        return model(node).sizes.front().sum;
    }

    SimNode::Pointer root_;
    GroupOf group_of_;
    std::vector<SimPowerCut::Step> steps_;
    std::map<const SimNode*, Model> models_; // by address: only asked, never walked
    std::map<std::uint64_t, Layout> layouts_;
};

} // namespace replica

#endif // REPLICA_SIM_SURVIVORS_HPP

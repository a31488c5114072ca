// Random bytes, as an argument: the only place that asks the system for them is entropy.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

namespace assay {

// Fills `out`, at most 256 bytes, from the operating system's generator. Aborts when it has none.
void fill_random(std::span<std::uint8_t> out);

using EntropySource = std::function<void(std::span<std::uint8_t>)>;

}  // namespace assay

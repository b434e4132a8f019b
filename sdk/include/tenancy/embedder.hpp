#pragma once

#include <string>
#include <vector>

#include "tenancy/detail/export.hpp"

namespace tenancy {

/// Turns texts into vectors of numbers that lie near each other when the texts mean alike.
class TENANCY_EXPORT embedder {
public:
    virtual ~embedder();

    /// What to call it in messages, such as the model's name.
    [[nodiscard]] virtual std::string name() const = 0;

    /// How many numbers each embedding has; a corpus is created for exactly so many.
    /** @throws embedding_error if it must be asked for first and that fails */
    [[nodiscard]] virtual int dimensions() = 0;

    /// Embeds texts.
    /**
     * @param texts UTF-8; any number of them, batches are the embedder's affair
     * @return one embedding of @ref dimensions floats for each text, in the same order
     * @throws embedding_error if that fails
     */
    [[nodiscard]] virtual std::vector<std::vector<float>> embed(const std::vector<std::string>& texts) = 0;

    /// Embeds one text.
    /** @param text as for @ref embed */
    [[nodiscard]] std::vector<float> embed_one(const std::string& text);

protected:
    embedder() = default;
    embedder(const embedder&) = default;
    embedder& operator=(const embedder&) = default;
};

/// A deterministic embedder that needs no model and no network: feature hashing. For demos and tests.
/**
 * Words, pairs of neighbouring words and the beginnings of long words are hashed to positions and signs
 * (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009), with logarithmic
 * counts and unit length. Texts that share words come out near each other; it knows nothing of meaning, so do
 * not judge retrieval quality by it. A text without any word becomes the zero vector.
 *
 * The same text gives the same embedding on every machine and in every 0.x version with the same name().
 */
class TENANCY_EXPORT hashing_embedder final : public embedder {
public:
    /**
     * @param dimensions from 8 to 16000; fewer means more collisions
     * @throws std::invalid_argument if it is out of this range
     */
    explicit hashing_embedder(int dimensions = 256);

    [[nodiscard]] std::string name() const override;
    [[nodiscard]] int dimensions() override { return dimensions_; }
    [[nodiscard]] std::vector<std::vector<float>> embed(const std::vector<std::string>& texts) override;

private:
    int dimensions_;
};

} // namespace tenancy

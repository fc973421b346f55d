/* A hash table of lattice coordinates: open addressing, the keys inside the slots, so that a hit touches one place.
 *
 * A key of d coordinates is packed into words of four 16-bit lanes, each biased by 32768. As no lane ever leaves
 * 0..65535, steps along lattice axes are plain 64-bit additions.
 */
#ifndef PYDEEPLAB_CRF_TABLE_H
#define PYDEEPLAB_CRF_TABLE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_WORDS = 8 };

typedef struct {
    uint64_t *slot;  /* rows of words + 1: the key, then number + 1 (0: free) */
    uint64_t *met;   /* the keys in the order of their numbers */
    uint64_t mask;
    ptrdiff_t count, capacity;
    int words;
} Table;

static inline uint64_t lane(int i) { return (uint64_t)1 << (16 * (i & 3)); }

static inline uint64_t hash_key(const uint64_t *key, int words)
{
    uint64_t h = 0;
    for (int w = 0; w < words; w++) {
        h = (h ^ key[w]) * 0x9E3779B97F4A7C15u;
        h ^= h >> 32;
    }
    return h;
}

static inline int table_allocate(Table *t, ptrdiff_t slots)
{
    t->mask = (uint64_t)slots - 1;
    t->capacity = slots / 8 * 5;
    t->slot = calloc((size_t)slots, (size_t)(t->words + 1) * sizeof(uint64_t));
    uint64_t *met = realloc(t->met, (size_t)t->capacity * (size_t)t->words * sizeof(uint64_t));
    if (met)
        t->met = met;
    return t->slot && met;
}

static inline int table_make(Table *t, int words, ptrdiff_t expected)
{
    ptrdiff_t slots = 1024;
    while (slots / 8 * 5 < expected)
        slots *= 2;
    t->words = words;
    t->count = 0;
    t->met = NULL;
    return table_allocate(t, slots);
}

static inline void table_free(Table *t)
{
    free(t->slot);
    free(t->met);
}

/* The slot of a key: its own or the free one where it belongs. */
static inline uint64_t *table_slot(const Table *t, const uint64_t *key, uint64_t hash, int words)
{
    for (uint64_t at = hash & t->mask;; at = (at + 1) & t->mask) {
        uint64_t *slot = t->slot + at * (uint64_t)(words + 1);
        int equal = 1;
        for (int w = 0; w < words; w++)
            equal &= slot[w] == key[w];
        if (slot[words] == 0 || equal)
            return slot;
    }
}

static inline int table_grow(Table *t)
{
    free(t->slot);
    if (!table_allocate(t, 2 * (ptrdiff_t)(t->mask + 1)))
        return 0;
    for (ptrdiff_t i = 0; i < t->count; i++) {
        const uint64_t *key = t->met + i * t->words;
        uint64_t *slot = table_slot(t, key, hash_key(key, t->words), t->words);
        memcpy(slot, key, (size_t)t->words * sizeof(uint64_t));
        slot[t->words] = (uint64_t)i + 1;
    }
    return 1;
}

/* The number of a key, given one if it is new; -1 without memory. */
static inline ptrdiff_t table_number(Table *t, const uint64_t *key, uint64_t hash, int words)
{
    uint64_t *slot = table_slot(t, key, hash, words);
    if (slot[words])
        return (ptrdiff_t)slot[words] - 1;
    if (t->count == t->capacity) {
        if (!table_grow(t))
            return -1;
        slot = table_slot(t, key, hash, words);
    }
    for (int w = 0; w < words; w++)
        slot[w] = t->met[t->count * words + w] = key[w];
    slot[words] = (uint64_t)++t->count;
    return t->count - 1;
}

/* Enters a key under a number of the caller's; returns that, or the number that an equal key has already. The table must
 * have been made for as many keys, and numbers so given do not survive growing. */
static inline ptrdiff_t table_put(Table *t, const uint64_t *key, uint64_t hash, ptrdiff_t number, int words)
{
    uint64_t *slot = table_slot(t, key, hash, words);
    if (slot[words])
        return (ptrdiff_t)slot[words] - 1;
    for (int w = 0; w < words; w++)
        slot[w] = key[w];
    slot[words] = (uint64_t)number + 1;
    return number;
}

static inline void table_prefetch(const Table *t, uint64_t hash, int words)
{
    __builtin_prefetch(t->slot + (hash & t->mask) * (uint64_t)(words + 1));
}

static inline void pack_key(const int16_t *key, int d, uint64_t *packed)
{
    for (int i = 0; i < d; i++) {
        const uint64_t biased = (uint64_t)(key[i] + 32768);
        packed[i / 4] = (i & 3 ? packed[i / 4] : 0) | biased << (16 * (i & 3));
    }
}

static inline void unpack_key(const uint64_t *packed, int d, int16_t *key)
{
    for (int i = 0; i < d; i++)
        key[i] = (int16_t)((int)(packed[i / 4] >> (16 * (i & 3)) & 0xFFFF) - 32768);
}

#endif

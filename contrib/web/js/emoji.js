// SPDX-License-Identifier: BSD-2-Clause
// Emoji: which there are, finding them by words, those that were used last, and texts that consist of them alone. Knows
// nothing of the page.

const LARGE_MAX = 3;
const RECENT_MAX = 24;
const FOUND_MAX = 120;
// One emoji as Unicode's data have them: a flag, a keycap, or pictures that are joined, with what varies them.
const PICTURE = String.raw`(?:(?!\p{RI})\p{Emoji_Presentation}|\p{Emoji}\uFE0F)(?:\p{Emoji_Modifier}|[\u{E0020}-\u{E007F}])*|(?![#*0-9])\p{Emoji}\p{Emoji_Modifier}`;
const ONE = String.raw`(?:\p{RI}\p{RI}|[#*0-9]\uFE0F?\u20E3|(?:${PICTURE})(?:\u200D(?:${PICTURE}|(?![#*0-9])\p{Emoji}))*)`;
const ALONE = new RegExp(String.raw`^\s*${ONE}(?:\s*${ONE}){0,${LARGE_MAX - 1}}\s*$`, 'u');
const EACH = new RegExp(ONE, 'gu');

// How many emoji a text consists of; 0 where there are more than three of them, or anything else.
export function emojiAlone(text) {
    return text.length <= 120 && ALONE.test(text) ? text.match(EACH).length : 0;
}

// What people type, so that it is found however it is written.
function folded(text) {
    return text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
}

const CHINESE = /\p{sc=Han}/u;

// groups: [[key, lines]] of emoji_data.js. Each emoji becomes {emoji, names: {en, zh}, …}.
export class EmojiIndex {
    #byEmoji = new Map();
    groups; // [{key, emoji: [emoji]}]

    constructor(groups) {
        this.groups = groups.map(([key, lines]) => ({key, emoji: lines.split('\n').map((line) => this.#add(line).emoji)}));
    }

    #add(line) {
        const [emoji, en, enWords = '', zh = '', zhWords = ''] = line.split('\t');
        const one = {emoji, names: {en, zh: zh || en}, keys: {en: folded(en), zh: zh.toLowerCase()},
            words: folded(enWords).split(';'), zhWords: zhWords.split(';')};
        this.#byEmoji.set(emoji, one);
        return one;
    }

    has(emoji) {
        return this.#byEmoji.has(emoji);
    }

    // language: en or zh. An emoji that is not known has no other name than itself.
    nameOf(emoji, language) {
        return this.#byEmoji.get(emoji)?.names[language] ?? emoji;
    }

    // The best first, of equals the one with the shorter name. Every word has to be found: at the beginning of a word, in Chinese anywhere. An emoji finds itself.
    search(query) {
        const words = folded(query).trim().split(/\s+/).filter(Boolean);
        const itself = query.trim();
        if (words.length === 0)
            return [];
        const found = [];
        for (const one of this.#byEmoji.values()) {
            const rank = one.emoji === itself ? 0 : Math.max(...words.map((word) => rankOf(one, word)));
            if (rank < Infinity)
                found.push({emoji: one.emoji, rank, length: one.names.en.split(' ').length});
        }
        return found.sort((a, b) => a.rank - b.rank || a.length - b.length).slice(0, FOUND_MAX).map(({emoji}) => emoji); // sorting is stable
    }
}

// The lower the better; Infinity: not at all.
function rankOf({keys, words, zhWords}, word) {
    if (CHINESE.test(word))
        return keys.zh === word ? 0 : zhWords.includes(word) ? 1 : keys.zh.startsWith(word) ? 2 : keys.zh.includes(word) ? 3 :
            zhWords.some((w) => w.includes(word)) ? 4 : Infinity;
    const begins = (text) => text.startsWith(word) || text.includes(` ${word}`) || text.includes(`-${word}`) || text.includes(`: ${word}`);
    return keys.en === word ? 0 : words.includes(word) ? 1 : keys.en.startsWith(word) ? 2 : begins(keys.en) ? 3 :
        words.some(begins) ? 4 : Infinity;
}

// Those that a user chose last.
export class RecentEmoji {
    #storage;
    #key;

    constructor(storage, userId) {
        this.#storage = storage;
        this.#key = `tidings-web:${userId}:emoji`;
    }

    list() {
        return recentFrom(this.#storage.getJson(this.#key));
    }

    note(emoji) {
        this.#storage.setJson(this.#key, withRecent(this.list(), emoji));
    }
}

// With one more in front.
export function withRecent(recent, emoji) {
    return [emoji, ...recent.filter((e) => e !== emoji)].slice(0, RECENT_MAX);
}

// What a storage gives may have been written by anyone.
export function recentFrom(stored) {
    return Array.isArray(stored) ? stored.filter((e) => typeof e === 'string' && e !== '' && e.length <= 64).slice(0, RECENT_MAX) : [];
}

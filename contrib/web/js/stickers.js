// SPDX-License-Identifier: BSD-2-Clause
// Packs of stickers: which are installed, which there are, and those that were sent last from here.

const RECENT_MAX = 12;
const PAGE = 50;

const isText = (value) => typeof value === 'string' && value !== '';

// What a storage gives may have been written by anyone.
export function recentFrom(stored) {
    return (Array.isArray(stored) ? stored : []).filter((s) => [s?.pack, s?.id, s?.emoji, s?.media_url].every(isText)).slice(0, RECENT_MAX);
}

export class Stickers {
    #rest;
    #storage;
    #key;
    #changed;
    #loading = null;
    installed = []; // packs as the server shows them, the one installed last first
    loaded = false;

    // storage: for those that this user sent last. changed(): other packs are installed
    constructor(rest, storage, userId, changed) {
        this.#rest = rest;
        this.#storage = storage;
        this.#key = `tidings-web:${userId}:stickers`;
        this.#changed = changed;
    }

    // Rejects with a Problem, as the others do.
    load() {
        this.#loading ??= this.#load().finally(() => {
            this.#loading = null;
        });
        return this.#loading;
    }

    async #load() {
        const packs = [];
        for await (const pack of this.#rest.each((page) => this.#rest.installedStickerPacks(page), {limit: PAGE}))
            packs.push(pack);
        this.installed = packs;
        this.loaded = true;
        this.#changed();
    }

    // A page of all packs.
    packs(cursor) {
        return this.#rest.stickerPacks({limit: PAGE, cursor});
    }

    pack(id) {
        return this.#rest.stickerPack(id);
    }

    isInstalled(id) {
        return this.installed.some((pack) => pack.id === id);
    }

    async install(pack) {
        await this.#rest.installStickerPack(pack.id);
        this.installed = [pack, ...this.installed.filter(({id}) => id !== pack.id)];
        this.#changed();
    }

    async uninstall(pack) {
        await this.#rest.uninstallStickerPack(pack.id);
        this.installed = this.installed.filter(({id}) => id !== pack.id);
        this.#changed();
    }

    // {pack, id, emoji, media_url}
    get recent() {
        return recentFrom(this.#storage.getJson(this.#key));
    }

    noteSent(sticker) {
        const {pack, id, emoji, media_url} = sticker;
        this.#storage.setJson(this.#key, [{pack, id, emoji, media_url}, ...this.recent.filter((s) => s.pack !== pack || s.id !== id)].slice(0, RECENT_MAX));
    }

    // An address that a picture can be loaded from; null for what is none.
    url(media_url) {
        try {
            const url = isText(media_url) ? this.#rest.mediaUrl(media_url) : null;
            return url !== null && /^https?:/.test(url) ? url : null;
        } catch {
            return null;
        }
    }

    // What a message of that type shows: {pack, emoji, url}. One that is not stored yet has no address of its own.
    shownBy({media_url, extra}) {
        const {pack, sticker, emoji} = extra ?? {};
        const known = [...this.installed.find(({id}) => id === pack)?.stickers ?? [], ...this.recent.filter((s) => s.pack === pack)].find(({id}) => id === sticker);
        return {pack: isText(pack) ? pack : null, emoji: isText(emoji) ? emoji : known?.emoji ?? '', url: this.url(media_url ?? known?.media_url ?? null)};
    }
}

// SPDX-License-Identifier: BSD-2-Clause
// Where the file of a message is loaded from. What the server keeps has a URL that expires, and is asked for anew then.
// What is on another host is not loaded by itself: that would tell the host who looks at it, and when.
import {loadPicturesFrom} from './avatar.js';
import {now} from './clock.js';
import {webUrl} from './dom.js';

const OF_FILE = /\/media\/([0-9a-f]{32})\//;

export class Files {
    #rest;
    #hosts = new Set(); // origins that are the server's: its own, and that of media.base_url
    #asking = new Map(); // origin -> promise of whether it is one
    #renewed = new Map(); // old URL -> {promise, url: a new one, once there is}

    // baseUrl: the server's media.base_url, or '' where that is not known or its files are on the server.
    constructor(rest, baseUrl) {
        this.#rest = rest;
        this.#addHost(new URL(rest.mediaUrl('/')).origin);
        if (webUrl(baseUrl) !== null)
            this.#addHost(new URL(baseUrl).origin);
    }

    #addHost(origin) {
        this.#hosts.add(origin);
        loadPicturesFrom(origin);
    }

    // As an address that can be loaded; null where it is none.
    url(mediaUrl) {
        try {
            return webUrl(this.#rest.mediaUrl(mediaUrl));
        } catch {
            return null;
        }
    }

    isOurs(url) {
        return this.#hosts.has(new URL(url).origin);
    }

    // The same after asking the server, which may have its files elsewhere.
    async belongsToUs(url) {
        const {origin, pathname} = new URL(url);
        const id = pathname.match(OF_FILE)?.[1];
        if (this.#hosts.has(origin) || id === undefined)
            return this.#hosts.has(origin);
        this.#asking.get(origin) ?? this.#asking.set(origin, this.#rest.media(id).then((media) => {
            if (new URL(this.url(media.url)).origin !== origin)
                return false;
            this.#addHost(origin);
            return true;
        }, () => {
            this.#asking.delete(origin);
            return false;
        }));
        return this.#asking.get(origin);
    }

    // Of a picture or film that the server keeps; null of any other.
    thumbnail(url) {
        const {pathname} = new URL(url);
        return this.isOurs(url) && OF_FILE.test(pathname) ? `${url}&size=thumb` : null;
    }

    hasExpired(url) {
        const {pathname, searchParams} = new URL(url);
        const at = Number(searchParams.get('e') ?? NaN);
        return OF_FILE.test(pathname) && at * 1000 <= now();
    }

    // Another URL of the same file, once for each old one, until that has expired as well. Rejects where there is none.
    renew(message, url) {
        const known = this.#renewed.get(url);
        if (known && !(known.url && this.hasExpired(known.url)))
            return known.promise;
        const asked = {promise: this.#ask(message, new URL(url).pathname.match(OF_FILE)?.[1]), url: null};
        asked.promise.then((fresh) => {
            asked.url = fresh;
        }, () => {});
        this.#renewed.set(url, asked);
        return asked.promise;
    }

    async #ask({id, seq}, fileId) {
        if (fileId === undefined)
            throw new Error('not a file of the server');
        const fresh = id && seq ? (await this.#rest.message(id)).media_url : (await this.#rest.media(fileId)).url;
        const url = fresh && this.url(fresh);
        if (!url)
            throw new Error('it is gone');
        return url;
    }

    // The URL that works now, or the best that is known.
    async current(message) {
        const url = this.url(message.media_url);
        return url !== null && this.hasExpired(url) ? this.renew(message, url).catch(() => url) : url;
    }
}

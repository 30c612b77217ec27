// SPDX-License-Identifier: BSD-2-Clause
// Files on their way to the server, by tus 1.0. An upload that is interrupted goes on where it stopped: after a lost
// connection, a server that is away or busy, and, if there is a storage, a restart. One request at a time; how much it
// carries follows the speed of the link.
import {Backoff} from './backoff.js';
import {Problem} from './problem.js';

const CHUNK_FIRST = 256 * 1024;
const CHUNK_MIN = 32 * 1024;
const CHUNK_MAX = 8 * 1024 * 1024;
const CHUNK_MS = 1000; // what a chunk should take
const KEPT_MS = 86400000; // the server deletes what is not complete after a day
const KEPT_MAX = 100;
const PATIENCE_MS = 60000; // a server that asks for more is not waited for
const FAILURES_MAX = 12; // in a row, of a server that does answer
const AWAY = new Set(['disconnected', 'timeout']);
const BYTES = {'Tus-Resumable': '1.0.0', 'Content-Type': 'application/offset+octet-stream'};

function base64(text) {
    return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

// Tells a file that is chosen again; null where nothing does.
function fingerprintOf({size, lastModified}, name, type) {
    return typeof lastModified === 'number' ? [name, type, size, lastModified].join('|') : null;
}

// The kind of message that shows it.
export function messageTypeOf({content_type, width, duration}) {
    const [kind] = content_type.split('/');
    if (kind === 'image' && width !== null)
        return 'image';
    if (kind === 'video' && width !== null)
        return 'video';
    return kind === 'audio' && duration !== null ? 'voice' : 'file';
}

// What a message with it tells of it.
export function extraOf({name, size, width, height, blurhash, duration}) {
    const told = {file_name: name, size, width, height, blurhash, duration};
    return Object.fromEntries(Object.entries(told).filter(([, value]) => value !== null));
}

// One upload from its beginning to its end.
class Upload {
    #rest;
    #file;
    #about;
    #signal;
    #onProgress;
    #onId;
    #backoff;
    #id;
    #offset = null; // null: to be asked for
    #chunk = CHUNK_FIRST;
    #failures = 0;
    #lost = 0; // times that the server had forgotten it
    #media = null;

    // id: of one that was begun earlier, or null. onId(id) is called when it is another, null at the end.
    constructor(rest, file, {name, type, conversation_id}, {signal, onProgress, onId, id, backoff}) {
        this.#rest = rest;
        this.#file = file;
        this.#about = {filename: name, filetype: type, ...conversation_id && {conversation_id}};
        this.#signal = signal;
        this.#onProgress = onProgress;
        this.#onId = onId;
        this.#id = id;
        this.#backoff = new Backoff(backoff);
    }

    // Resolves to what the server has found it to be.
    async run() {
        while (this.#media === null) {
            if (this.#signal.aborted)
                await this.#giveUp();
            try {
                await this.#step();
            } catch (problem) {
                await this.#afterFailure(problem);
            }
        }
        this.#onId(null);
        return this.#media;
    }

    async #giveUp() {
        const {reason} = this.#signal;
        if (!(reason instanceof Problem)) { // else the client is closed, and another may go on
            this.#onId(null);
            if (this.#id !== null)
                this.#rest.deleteMedia(this.#id).catch(() => {}); // the server does that itself, later
        }
        throw reason instanceof Problem ? reason : new Problem('cancelled');
    }

    #step() {
        if (this.#id === null)
            return this.#create();
        if (this.#offset === null)
            return this.#ask();
        return this.#offset < this.#file.size ? this.#append() : this.#finish();
    }

    // A file of one chunk goes with it.
    async #create() {
        const {size} = this.#file;
        const headers = {'Tus-Resumable': '1.0.0', 'Upload-Length': String(size),
            'Upload-Metadata': Object.entries(this.#about).map(([name, value]) => `${name} ${base64(value)}`).join(',')};
        const whole = size > 0 && size <= CHUNK_FIRST && this.#failures === 0;
        const answer = await this.#request('POST', '/media', whole ? {headers: {...headers, ...BYTES}, data: this.#file} : {headers});
        this.#failures = 0;
        const location = answer.headers.get('Location');
        this.#id = answer.body?.id ?? location?.split('/').at(-1) ?? null;
        if (this.#id === null)
            throw new Problem('unknown', {detail: 'The server does not say where the upload is.'});
        this.#offset = Number(answer.headers.get('Upload-Offset') ?? 0);
        this.#media = answer.body;
        this.#onId(this.#id);
        this.#progress(this.#media === null ? this.#offset : size);
    }

    async #ask() {
        const {headers} = await this.#request('HEAD', `/media/${this.#id}`, {headers: {'Tus-Resumable': '1.0.0'}});
        const [offset, size] = ['Upload-Offset', 'Upload-Length'].map((name) => Number(headers.get(name) ?? NaN));
        if (size !== this.#file.size || !(offset <= size)) { // of another file
            this.#id = null;
            return;
        }
        this.#offset = offset;
        this.#progress(offset);
    }

    async #append() {
        const from = this.#offset;
        const to = Math.min(from + this.#chunk, this.#file.size);
        const begun = Date.now();
        const {headers} = await this.#request('PATCH', `/media/${this.#id}`,
            {headers: {...BYTES, 'Upload-Offset': String(from)}, data: this.#file.slice(from, to)});
        const factor = Math.min(2, Math.max(0.5, CHUNK_MS / Math.max(1, Date.now() - begun)));
        this.#chunk = Math.round(Math.min(CHUNK_MAX, Math.max(CHUNK_MIN, this.#chunk * factor)));
        this.#offset = Number(headers.get('Upload-Offset') ?? to);
        this.#failures = 0;
        this.#lost = 0;
        this.#backoff.reset();
        this.#progress(this.#offset);
    }

    async #finish() {
        this.#media = await this.#rest.media(this.#id);
    }

    #request(method, path, options) {
        return this.#rest.request(method, path, {...options, signal: this.#signal});
    }

    #progress(sent) {
        try {
            this.#onProgress?.({sent, size: this.#file.size});
        } catch (error) {
            queueMicrotask(() => {
                throw error;
            });
        }
    }

    // Returns when it is worth another try, or throws what ends the upload.
    async #afterFailure(problem) {
        if (this.#signal.aborted)
            return; // run() sees to it
        const isGone = this.#id !== null && (problem.status === 404 || problem.status === 410);
        const isOutOfStep = problem.status === 409 || problem.status === 423;
        const isFull = problem.status === 507; // the server, or the user's share of it
        const mayPass = (problem.transient && !isFull) || isOutOfStep || (isGone && ++this.#lost <= 3);
        const wait = problem.retryAfterMs ?? 0;
        if (!AWAY.has(problem.code))
            this.#failures++;
        if (!mayPass || this.#failures > FAILURES_MAX || wait > PATIENCE_MS) {
            this.#onId(null);
            throw problem;
        }
        this.#offset = null;
        this.#chunk = Math.max(CHUNK_MIN, Math.round(this.#chunk / 2));
        if (isGone)
            this.#id = null;
        await this.#pause(Math.max(this.#backoff.next(), wait));
    }

    // The browser says when there is a network again.
    #pause(ms) {
        return new Promise((resolve) => {
            const done = () => {
                clearTimeout(timer);
                globalThis.removeEventListener?.('online', done);
                this.#signal.removeEventListener('abort', done);
                resolve();
            };
            const timer = setTimeout(done, ms);
            globalThis.addEventListener?.('online', done);
            this.#signal.addEventListener('abort', done);
        });
    }
}

export class Uploads {
    #rest;
    #backoff;
    #slot;
    #kept = null; // Map: fingerprint -> {id, at}, once loaded
    #stops = new Set(); // AbortControllers of those under way
    #busy = new Set(); // fingerprints of those under way
    #closed = null; // a Problem

    // slot(): where to keep what was begun, or null; asked when the first upload begins.
    constructor({rest, slot, backoff}) {
        this.#rest = rest;
        this.#slot = slot;
        this.#backoff = backoff;
    }

    async upload(file, {name = file.name || 'file', type = file.type || 'application/octet-stream', conversation_id = null, onProgress, signal} = {}) {
        if (typeof file?.slice !== 'function' || typeof file.size !== 'number')
            throw new TypeError('A file is a File or a Blob.');
        if (this.#closed !== null)
            throw this.#closed;
        const stop = new AbortController();
        const cancel = () => stop.abort();
        this.#stops.add(stop);
        if (signal?.aborted)
            cancel();
        signal?.addEventListener('abort', cancel);
        const print = fingerprintOf(file, name, type);
        const slot = await this.#load();
        const isKept = slot !== null && print !== null && !this.#busy.has(print);
        if (isKept)
            this.#busy.add(print);
        try {
            return await new Upload(this.#rest, file, {name, type, conversation_id}, {
                signal: stop.signal, onProgress, backoff: this.#backoff, id: isKept ? this.#kept.get(print)?.id ?? null : null,
                onId: (id) => isKept && this.#keep(slot, print, id),
            }).run();
        } finally {
            this.#stops.delete(stop);
            signal?.removeEventListener('abort', cancel);
            if (isKept)
                this.#busy.delete(print);
        }
    }

    // What is under way ends, and can be gone on with in another life.
    close(problem) {
        this.#closed = problem;
        this.#stops.forEach((stop) => stop.abort(problem));
    }

    async #load() {
        const slot = await this.#slot();
        if (slot !== null && this.#kept === null) {
            const stored = await slot.load();
            const entries = Array.isArray(stored) ? stored : [];
            this.#kept ??= new Map(entries.filter((e) => typeof e?.[0] === 'string' && /^[0-9a-f]{32}$/.test(e[1]?.id) && Date.now() - e[1].at < KEPT_MS));
        }
        return slot;
    }

    #keep(slot, print, id) {
        this.#kept.delete(print);
        if (id !== null)
            this.#kept.set(print, {id, at: Date.now()});
        slot.save(() => [...this.#kept].slice(-KEPT_MAX));
    }
}

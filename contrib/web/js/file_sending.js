// SPDX-License-Identifier: BSD-2-Clause
// Files on their way into conversations: some at a time go up, and the messages follow in the order of choosing.
import {now} from './clock.js';
import {keepPreview, previewOf} from './picture.js';
import {shrunk} from './shrink.js';

const AT_ONCE = 3;
const TOLD_EVERY_MS = 200;

const KINDS = {image: 'image', video: 'video', audio: 'voice'};

function kindOf({type}, asFile) {
    return asFile || type === 'image/svg+xml' ? 'file' : KINDS[type.split('/')[0]] ?? 'file';
}

function randomId() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
}

export class FileSending {
    #client;
    #outgoing;
    #onChange;
    #waiting = []; // functions that begin an upload
    #running = 0;
    #tails = new Map(); // recipient -> promise of the message before
    #timer = null;
    // The browser asks whether to leave: what is on its way would be lost.
    #onLeave = (event) => this.#outgoing.uploads.some(({problem}) => problem === null) && event.preventDefault();
    #previewing = Promise.resolve(); // one after the other: a large picture takes memory

    // outgoing: where they are shown. onChange(): how far they have come.
    constructor(client, outgoing, onChange) {
        this.#client = client;
        this.#outgoing = outgoing;
        this.#onChange = onChange;
        addEventListener('beforeunload', this.#onLeave);
    }

    stop() {
        removeEventListener('beforeunload', this.#onLeave);
    }

    // to: {to_user_id} or {conversation_id}. files: File objects. more: content, entities, mentions, reply_to of the first; kind and
    // extra of all. original: photos as they are.
    send(to, files, {original = false, kind = null, extra = null, ...first} = {}) {
        const pictures = files.filter((file) => ['image', 'video'].includes(kindOf(file, kind === 'file')));
        const album = pictures.length > 1 && pictures.length === files.length ? randomId() : null;
        files.forEach((file, i) => {
            const draft = {...to, message_type: kind ?? kindOf(file, false), content: null, ...i === 0 && first, client_msg_id: randomId(),
                extra: {file_name: file.name, size: file.size, ...extra, ...album !== null && {album}}};
            const upload = {file, original: original || kind === 'file', sent: 0, size: file.size, waiting: true, stop: null, given: {...extra, ...album !== null && {album}}, media: null, kind};
            const item = this.#outgoing.begun(draft, upload, new Date(now()).toISOString());
            upload.previewed = this.#previewing = this.#previewing.then(() => this.#preview(item));
            this.#begin(item);
        });
        this.#onChange();
    }

    retry(item) {
        this.#begin(this.#outgoing.begun(item.draft, item.upload, item.at));
        this.#onChange();
    }

    cancel(item) {
        item.upload.stop?.abort();
        item.upload.cancelled = true;
        this.#outgoing.done(item.draft.client_msg_id);
        this.#onChange();
    }

    #begin(item) {
        const {upload, draft} = item;
        const key = draft.to_user_id ?? `conversation ${draft.conversation_id}`;
        upload.waiting = true;
        const before = this.#tails.get(key) ?? Promise.resolve();
        const uploaded = new Promise((resolve) => {
            this.#waiting.push(() => this.#upload(item).finally(resolve));
        });
        const tail = Promise.all([before, uploaded]).then(() => this.#sendMessage(item));
        this.#tails.set(key, tail);
        tail.then(() => this.#tails.get(key) === tail && this.#tails.delete(key));
        this.#next();
    }

    #next() {
        while (this.#running < AT_ONCE && this.#waiting.length > 0) {
            this.#running++;
            this.#waiting.shift()().finally(() => {
                this.#running--;
                this.#next();
            });
        }
    }

    async #upload(item) {
        const {upload, draft} = item;
        if (upload.cancelled)
            return;
        upload.waiting = false;
        upload.stop = new AbortController();
        try {
            await this.#prepare(item);
            upload.media ??= await this.#client.upload(upload.ready, {name: upload.ready.name, signal: upload.stop.signal,
                onProgress: ({sent, size}) => this.#progress(upload, sent, size)});
        } catch (problem) {
            if (!upload.cancelled)
                this.#outgoing.refused(draft, problem, upload);
            this.#onChange();
        }
    }

    // What is known before it is there, for whoever looks at it: how large a picture is, and the picture.
    async #preview({upload, draft}) {
        const preview = draft.message_type === 'image' && !upload.cancelled ? await previewOf(upload.file) : null;
        if (preview === null)
            return;
        draft.extra = {...draft.extra, width: preview.width, height: preview.height};
        keepPreview(draft.client_msg_id, preview.canvas);
        upload.prepared = true;
        this.#onChange();
    }

    async #prepare({upload, draft}) {
        if (upload.ready)
            return;
        await upload.previewed;
        upload.ready = upload.original || draft.message_type !== 'image' ? upload.file : await shrunk(upload.file);
        upload.size = upload.ready.size;
    }

    #progress(upload, sent, size) {
        Object.assign(upload, {sent, size});
        this.#timer ??= setTimeout(() => {
            this.#timer = null;
            this.#onChange();
        }, TOLD_EVERY_MS);
    }

    #sendMessage({upload, draft}) {
        if (upload.media === null || upload.cancelled)
            return;
        this.#client.sendUploaded(upload.media, {...draft, type: upload.kind, extra: upload.given});
    }
}

// SPDX-License-Identifier: BSD-2-Clause
// Notes what passes between a process and the server, a line each, for t/lib/Tidings/Witness.pm to hold against the
// documents of the API: by the WebSocket that it exports, and by fetch. What a WebSocket's handshake is answered no
// platform shows.
import {appendFileSync} from 'node:fs';
import {createRequire} from 'node:module';

// Node has one from 22 on, and 20 if asked for; Debian's node-ws is there for 18.
const PlainWebSocket = globalThis.WebSocket ?? (process.env.TIDINGS_URL ? createRequire(import.meta.url)('/usr/share/nodejs/ws') : class {});

const notes = process.env.TIDINGS_NOTES;
let sockets = 0;

function note(what) {
    if (notes)
        appendFileSync(notes, `${JSON.stringify(what)}\n`);
}

export class WebSocket extends PlainWebSocket {
    #number = `${process.pid}-${++sockets}`;

    constructor(...given) {
        super(...given);
        this.addEventListener('message', ({data}) => note({socket: this.#number, received: data}));
        this.addEventListener('close', ({wasClean, code}) => wasClean && note({closed: code}));
    }

    send(data) {
        note({socket: this.#number, sent: data});
        super.send(data);
    }
}

const plainFetch = globalThis.fetch;
globalThis.fetch = async (address, options = {}) => {
    const response = await plainFetch(address, options);
    const {pathname, search} = new URL(address);
    const headersOf = (headers) => Object.fromEntries(new Headers(headers));
    const copy = response.clone();
    copy.text().then((body) => note({method: options.method ?? 'GET', path: pathname + search, headers: headersOf(options.headers),
        body: options.body ?? '', answer: {status: response.status, headers: headersOf(response.headers), body}}), () => {});
    return response;
};

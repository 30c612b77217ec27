// SPDX-License-Identifier: BSD-2-Clause
// Notes what passes between a process and the server, a line each, for t/lib/Tidings/Witness.pm to hold against the
// documents of the API: by the WebSocket that it exports, by fetch, and the handshakes that go through observed().
import {appendFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import net from 'node:net';
import {Handshakes} from '../../../t/browser/handshakes.js';

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
        body: typeof options.body === 'string' ? options.body : '', answer: {status: response.status, headers: headersOf(response.headers), body}}), () => {});
    return response;
};

// The URL of a TCP proxy to that of a server.
export async function observed(url) {
    const {hostname, port} = new URL(url);
    const server = net.createServer((near) => new Handshakes(note).join(near, net.connect(port, hostname)));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    server.unref();
    return `http://127.0.0.1:${server.address().port}`;
}

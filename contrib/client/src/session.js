// SPDX-License-Identifier: BSD-2-Clause
// One WebSocket from its opening to its end: the handshake, requests and their answers, the heartbeat. It ends exactly
// once, also where the network says nothing. Whether another follows is decided in connection.js.
import {Problem} from './problem.js';
import {Pulse} from './pulse.js';

const ANSWERS = new Set(['ack', 'result', 'error']);
const VISIBLE_HEARTBEAT_MS = 10000; // in a page that somebody looks at, the truth about the connection matters more
const NOT_SAID = 1006; // RFC 6455, 7.1.5: the connection is gone without a close frame

export class Session {
    #socket;
    #timing;
    #on;
    #waiting = new Map(); // ref -> {resolve, reject, timer}
    #nextRef = 1;
    #helloTimer;
    #pulse = null;
    #begun = Date.now();
    #hello = null;
    #ended = false;

    // on.hello(frame), on.frame(frame) for what answers no request, on.ended({code, reason, greeted}) as the last.
    constructor(WebSocket, url, token, timing, on) {
        this.#timing = timing;
        this.#on = on;
        this.#socket = new WebSocket(url, ['tidings.v1', `bearer.${token}`]);
        this.#socket.onmessage = (event) => this.#receive(event.data);
        this.#socket.onclose = (event) => this.#end(event.code, event.reason);
        // A close event follows in the same turn, but for Node 20, where none does after a refused handshake.
        this.#socket.onerror = () => setTimeout(() => this.abandon('the connection failed'), 0);
        this.#helloTimer = setTimeout(() => this.abandon('no hello'), timing.connectMs);
    }

    get greeted() {
        return this.#hello !== null;
    }

    // Sends a frame and resolves to what answers it. Without an answer in time the connection is as good as none.
    request(type, fields) {
        if (!this.greeted || this.#ended)
            return Promise.reject(new Problem('disconnected', {detail: 'Not connected.'}));
        const ref = String(this.#nextRef++);
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => this.abandon(`no answer to ${type}`), this.#timing.answerMs);
            this.#waiting.set(ref, {resolve, reject, timer});
            this.#pulse.asked();
            this.#send({...fields, type, ref});
        });
    }

    // Sends a frame that is not worth an answer.
    hint(type, fields) {
        if (this.greeted && !this.#ended)
            this.#send({...fields, type});
    }

    // The network may be gone, or another one: asks the server, who has so long to answer.
    check(patienceMs) {
        if (this.greeted && !this.#ended)
            this.#pulse.check(patienceMs);
    }

    // A socket whose network is gone may take minutes to say that it is closed: it is not waited for.
    abandon(reason, code = NOT_SAID) {
        try {
            this.#socket.close(1000);
        } catch {
            // closed already
        }
        this.#end(code, reason);
    }

    #send(frame) {
        try {
            this.#socket.send(JSON.stringify(frame));
        } catch {
            this.abandon('cannot be written to');
        }
    }

    #receive(data) {
        if (this.#ended)
            return;
        this.#pulse?.heard();
        let frame;
        try {
            frame = JSON.parse(data);
        } catch {
            this.abandon('a frame that is no JSON');
            return;
        }
        if (frame.type === 'hello')
            this.#greet(frame);
        else if (ANSWERS.has(frame.type) && this.#waiting.has(frame.ref))
            this.#answer(frame);
        else if (frame.type !== 'pong')
            this.#on.frame(frame);
    }

    #greet(hello) {
        this.#hello = hello;
        clearTimeout(this.#helloTimer);
        this.#pulse = new Pulse({
            everyMs: () => this.#timing.heartbeatMs ?? (globalThis.document?.visibilityState === 'visible' ?
                Math.min(VISIBLE_HEARTBEAT_MS, hello.heartbeat_ms) : hello.heartbeat_ms),
            patienceMs: this.#timing.pingMs, maxMs: this.#timing.answerMs, openingMs: Date.now() - this.#begun,
            ping: () => this.hint('ping'), unsent: () => this.#socket.bufferedAmount ?? 0,
            dead: () => this.abandon('nothing is heard'),
        });
        this.#on.hello(hello);
    }

    #answer(frame) {
        const {resolve, reject, timer} = this.#waiting.get(frame.ref);
        this.#waiting.delete(frame.ref);
        clearTimeout(timer);
        if (frame.type === 'error')
            reject(new Problem(frame.code, {detail: frame.detail}));
        else
            resolve(frame);
    }

    #end(code, reason) {
        if (this.#ended)
            return;
        this.#ended = true;
        clearTimeout(this.#helloTimer);
        this.#pulse?.stop();
        this.#on.ended({code, reason, greeted: this.greeted});
        for (const {reject, timer} of this.#waiting.values()) {
            clearTimeout(timer);
            reject(new Problem('disconnected', {detail: 'The connection was lost.'}));
        }
        this.#waiting.clear();
    }
}

// SPDX-License-Identifier: BSD-2-Clause
// Keeps one session open for as long as it is wanted and allowed: when to come back, with which token, and when not.
import {Backoff} from './backoff.js';
import {REFRESH, STAY_AWAY, actionAfter} from './close_codes.js';
import {Problem} from './problem.js';
import {Session} from './session.js';

// It stays as it is until connect() is called again.
const AT_REST = new Set(['idle', 'replaced', 'unauthorized', 'stopped']);

export class Connection {
    #url;
    #tokens;
    #probe;
    #WebSocket;
    #timing;
    #on;
    #backoff;
    #state = 'idle';
    #session = null;
    #token = null; // of the session
    #attempt = 0; // counts every beginning and end, so that what was awaited can tell whether it still matters
    #timer = null;
    #stableTimer = null;
    #comeBackAt = null; // said by a server that is draining

    // probe(token) makes a REST request: a refused handshake does not tell a browser why, a request does.
    // on.state({state, reason, retryInMs}), on.hello(frame), on.frame(frame), on.lost({code, reason, greeted}).
    constructor({url, tokens, probe, WebSocket, timing, backoff, on}) {
        this.#url = url;
        this.#tokens = tokens;
        this.#probe = probe;
        this.#WebSocket = WebSocket;
        this.#timing = timing;
        this.#backoff = new Backoff(backoff);
        this.#on = on;
    }

    get state() {
        return this.#state;
    }

    get online() {
        return this.#state === 'online';
    }

    get atRest() {
        return AT_REST.has(this.#state);
    }

    // The token of the session; null where there is none.
    get token() {
        return this.#session === null ? null : this.#token;
    }

    connect() {
        if (!this.atRest)
            return;
        this.#tokens.retry();
        this.#backoff.reset();
        this.#open();
    }

    // Ends the waiting, if it is waiting: the network has come back, or the user is impatient.
    hurry() {
        if (this.#state === 'waiting')
            this.#open();
        else
            this.check();
    }

    // There is reason to doubt the connection: the server is asked, and given up unless it answers in that time.
    check(patienceMs) {
        this.#session?.check(patienceMs);
    }

    // With the token that is in use now.
    restart() {
        this.#leave();
        this.#open();
    }

    // state: stopped, or another one that nothing leads out of but connect().
    stop(state = 'stopped', reason = '') {
        this.#leave();
        this.#enter(state, reason);
    }

    #leave() {
        this.#attempt++;
        clearTimeout(this.#timer);
        clearTimeout(this.#stableTimer);
        const session = this.#session;
        this.#session = null;
        session?.abandon('stopped');
    }

    request(type, fields) {
        return this.#session?.request(type, fields) ??
            Promise.reject(new Problem('disconnected', {detail: 'Not connected.'}));
    }

    hint(type, fields) {
        this.#session?.hint(type, fields);
    }

    #enter(state, reason = '', retryInMs = null) {
        this.#state = state;
        this.#on.state({state, reason, retryInMs});
    }

    async #open() {
        clearTimeout(this.#timer);
        const attempt = ++this.#attempt;
        this.#enter('connecting');
        let token;
        try {
            token = await this.#tokens.get();
        } catch (problem) {
            if (attempt === this.#attempt)
                this.#noToken(problem);
            return;
        }
        if (attempt === this.#attempt)
            this.#openWith(token);
    }

    #noToken(problem) {
        if (problem.transient)
            this.#wait(this.#backoff.next(), problem.message);
        else
            this.#enter('unauthorized', problem.message);
    }

    #openWith(token) {
        this.#comeBackAt = null;
        let session = null;
        const on = {
            hello: (frame) => this.#greeted(token, frame),
            frame: (frame) => {
                if (frame.type === 'reconnect')
                    this.#comeBackAt = Date.now() + frame.after_ms;
                this.#on.frame(frame);
            },
            ended: (end) => {
                if (session === this.#session)
                    this.#lost(token, end);
            },
        };
        try {
            session = new Session(this.#WebSocket, this.#url, token, this.#timing, on);
        } catch (error) {
            this.#refresh(token, 'token_invalid', error.message); // a token with characters that no token has
            return;
        }
        this.#session = session;
        this.#token = token;
    }

    #greeted(token, hello) {
        this.#tokens.accepted(token);
        this.#stableTimer = setTimeout(() => this.#backoff.reset(), this.#timing.stableMs);
        this.#enter('online');
        if (this.online)
            this.#on.hello(hello);
    }

    #lost(token, end) {
        this.#session = null;
        const attempt = ++this.#attempt;
        clearTimeout(this.#stableTimer);
        this.#on.lost(end);
        if (attempt !== this.#attempt)
            return; // stopped by whoever heard of it
        const action = actionAfter(end.code);
        if (action === STAY_AWAY)
            this.#enter('replaced', end.reason);
        else if (action === REFRESH)
            this.#refresh(token, 'token_expired', end.reason);
        else if (this.#comeBackAt !== null)
            this.#wait(Math.max(0, this.#comeBackAt - Date.now()), end.reason);
        else if (end.greeted)
            this.#wait(this.#backoff.next(), end.reason);
        else
            this.#askWhy(token, attempt);
    }

    #refresh(token, code, reason) {
        this.#tokens.refused(token, code);
        const atOnce = this.#backoff.failures === 0;
        const delayMs = this.#backoff.next();
        if (this.#tokens.refreshable)
            this.#wait(atOnce ? 0 : delayMs, reason);
        else
            this.#enter('unauthorized', reason);
    }

    // The handshake was refused, or the server cannot be reached at all.
    async #askWhy(token, attempt) {
        const problem = await this.#probe(token).then(() => null, (p) => p);
        if (attempt !== this.#attempt)
            return;
        if (problem?.aboutToken)
            this.#refresh(token, problem.code, problem.message);
        else
            this.#wait(Math.max(this.#backoff.next(), problem?.retryAfterMs ?? 0), problem?.message ?? 'refused');
    }

    #wait(delayMs, reason) {
        this.#timer = setTimeout(() => this.#open(), delayMs);
        this.#enter('waiting', reason, delayMs);
    }
}

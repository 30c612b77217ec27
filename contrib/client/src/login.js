// SPDX-License-Identifier: BSD-2-Clause
// The tokens of a login that renews itself, in place of tokens.js: renewed before the token ends, once for all who ask, in
// this tab and others. Only the server ends a login, or the user: what fails for another reason is tried again.
import {Closing} from './closing.js';
import {isNewer, isOf, isSame, loginOf, renewedBy} from './login_store.js';
import {Problem} from './problem.js';

// A token is renewed when so much of its life is left, which also makes up for a server's clock that is a little ahead.
const EARLY_PART = 0.1;
const EARLY_MAX_MS = 300000;
const LOCK_MS = 10000; // for another tab to renew; one that is frozen may hold the lock for ever
// Where an answer is lost the refresh token is spent: the server gives the same answer again within 30 s, later it ends the login.
// So a renewal that fails on the way is repeated soon. The last try may take as long as any request: the link may be slow.
const REPEAT_MS = 25000; // from the first try to the beginning of the last
const TRY_MS = 5500;
const PAUSE_MS = 1000; // after the first try, and twice as long after each
const PAUSE_MAX_MS = 4000;
const TRIES_MAX = 8; // also where the device's clock is set back
const GOOD_MS = 2000; // how long a request with a token that is still good waits for the next one
const ENDED = {token_revoked: 'revoked', token_expired: 'expired', token_invalid: 'expired', not_found: 'expired'};

const renewals = new Map(); // refresh token -> promise, of all clients here

export class Login {
    #store;
    #renew;
    #onEnded;
    #login = null;
    #loading = null;
    #renewing = null; // a promise, for all who ask for a token
    #waiting = new Set(); // functions that tell them of a try that failed
    #refused = null; // {token, code}: one that the server does not take
    #endedBy = null; // the reason
    #closing = new Closing();
    #unsubscribe;

    // store: a LoginStore, or what has its methods. renew(refreshToken, {timeoutMs}) asks the server for the next pair.
    // onEnded(reason), once for each login.
    constructor(store, {renew, onEnded}) {
        this.#store = store;
        this.#renew = renew;
        this.#onEnded = onEnded;
        this.#unsubscribe = store.subscribe?.((news) => this.#heard(news));
    }

    // ---- as tokens.js ----

    async get() {
        this.#closing.check();
        return (await this.#closing.unless(this.#usable())).token;
    }

    accepted() {}

    // It is renewed when the next one is asked for; then the server also says whether the login has ended.
    refused(token, code = 'token_expired') {
        this.#refused = {token, code};
    }

    get refreshable() {
        return this.#endedBy === null;
    }

    retry() {}

    set() {
        throw new TypeError('This client has a login, which gives its tokens.');
    }

    close(problem) {
        this.#unsubscribe?.();
        this.#closing.close(problem);
    }

    // ---- the login ----

    // The one in use, or null.
    async current() {
        this.#loading ??= this.#load();
        await this.#loading;
        return this.#login;
    }

    async #load() {
        const kept = await this.#store.load();
        this.#login ??= kept; // one may have begun meanwhile
    }

    // account: what the server has answered to a login or a registration.
    async begin(account) {
        this.#login = loginOf(account);
        this.#loading = Promise.resolve();
        this.#refused = this.#endedBy = null;
        await this.#store.save(this.#login);
    }

    // Whether the token is of another login than the one in use: this one has begun since, here or in another tab.
    isOutdated(token) {
        return this.#login !== null && !isOf(this.#login, token);
    }

    // Renews now. Rejects when the first try fails; others follow.
    async refresh() {
        const login = await this.current();
        if (login === null)
            throw this.#noLogin();
        await this.#closing.unless(this.#inTime(this.#renewed(login, true), null));
    }

    // reason: the server's, or one of ours: logged_out, expired, revoked.
    async end(reason) {
        const login = await this.current();
        if (login === null || this.#endedBy !== null)
            return;
        const removed = this.#store.remove(login, reason);
        this.#over(reason);
        await removed;
    }

    #over(reason) {
        this.#login = null;
        this.#endedBy = reason;
        this.#onEnded(reason);
    }

    // Another tab has renewed it, or it has ended there.
    #heard({of, login, reason}) {
        if (!isSame(this.#login, of))
            return;
        if (login === null)
            this.#over(reason);
        else if (isNewer(login, this.#login))
            this.#login = login;
    }

    // ---- renewing ----

    async #usable() {
        const login = await this.current();
        if (login === null)
            throw this.#noLogin();
        if (!this.#isDue(login))
            return login;
        this.#renewing ??= this.#renewed(login).finally(() => {
            this.#renewing = null;
        });
        return this.#inTime(this.#renewing, login);
    }

    // The next one, or where that takes long or fails for now, this one if it is good: a little of its life is left. The renewal goes on.
    // login: null where this one does not do.
    #inTime(renewing, login) {
        const isGood = () => login !== null && this.#endedBy === null && !this.#isRefused(login) && !isOver(login);
        return new Promise((resolve, reject) => {
            const goOn = (problem) => (isGood() ? resolve(login) : reject(problem));
            const timer = setTimeout(() => isGood() && resolve(login), GOOD_MS);
            this.#waiting.add(goOn);
            renewing.then(resolve, goOn).finally(() => {
                clearTimeout(timer);
                this.#waiting.delete(goOn);
            });
        });
    }

    #noLogin() {
        return new Problem(this.#endedBy === null ? 'token_invalid' : 'token_revoked',
            {detail: this.#endedBy === null ? 'Nobody is logged in.' : `The login has ended: ${this.#endedBy}.`});
    }

    #isRefused(login) {
        return login.token === this.#refused?.token;
    }

    #isDue(login) {
        return this.#isRefused(login) || (login.refresh_token && remainingMs(login) < Math.min(EARLY_MAX_MS, EARLY_PART * login.lifetime_ms));
    }

    async #renewed(login, evenIfGood = false) {
        await this.#alone(login, () => this.#takeOrRenew(evenIfGood));
        if (this.#login === null)
            throw this.#noLogin();
        return this.#login;
    }

    // One at a time, in all tabs. Where that is not possible the server answers the same to all who ask within 30 s.
    async #alone(login, act) {
        const {locks} = globalThis.navigator ?? {};
        if (!locks || login.login_id === null)
            return act();
        const patience = new AbortController();
        const timer = setTimeout(() => patience.abort(), LOCK_MS);
        let begun = false;
        try {
            return await locks.request(`tidings:login:${login.login_id}`, {signal: patience.signal}, () => {
                clearTimeout(timer);
                begun = true;
                return act();
            });
        } catch (error) {
            if (begun)
                throw error;
            return act(); // too late, or locks are not allowed here
        } finally {
            clearTimeout(timer);
        }
    }

    // Rejects with a transient Problem where the server cannot be asked.
    async #takeOrRenew(evenIfGood) {
        await this.#takeKept();
        if (this.#login !== null && (evenIfGood || this.#isDue(this.#login)))
            await this.#store.ask?.(this.#login);
        const begun = Date.now();
        let tried = null;
        for (let tries = 1; ; tries++) {
            const isKept = await this.#takeKept();
            const login = this.#login;
            if (login === null || !(this.#isDue(login) || (evenIfGood && (tried ?? login) === login)))
                return;
            tried = login;
            const mayRepeat = Date.now() - begun + TRY_MS + PAUSE_MAX_MS <= REPEAT_MS;
            try {
                await this.#askServer(login, isKept, mayRepeat ? TRY_MS : undefined);
                return;
            } catch (problem) {
                const delayMs = Math.max(Math.min(PAUSE_MS * 2 ** (tries - 1), PAUSE_MAX_MS), problem.retryAfterMs ?? 0);
                if (tries === TRIES_MAX || Date.now() - begun + delayMs > REPEAT_MS)
                    throw problem;
                this.#waiting.forEach((goOn) => goOn(problem));
                await new Promise((resolve) => setTimeout(resolve, delayMs));
            }
        }
    }

    // What is kept may be newer by now, or another login of the same user. False: it is another user's.
    async #takeKept() {
        const kept = await this.#store.load();
        if (this.#login === null)
            return false;
        if (kept === null) {
            this.#over('logged_out'); // elsewhere, or the storage was emptied
            return false;
        }
        const isMine = kept.user_id === this.#login.user_id;
        if (isMine && (!isSame(kept, this.#login) || isNewer(kept, this.#login)))
            this.#login = kept;
        return isMine;
    }

    // isKept: the storage has this login, not another user's.
    async #askServer(login, isKept, timeoutMs) {
        if (!login.refresh_token) {
            await this.end(ENDED[this.#refused?.code] ?? 'expired');
            return;
        }
        let renewed;
        try {
            renewed = await this.#renewOnce(login, timeoutMs);
        } catch (problem) {
            const reason = ENDED[problem.code];
            if (reason === undefined)
                throw problem.transient ? problem : new Problem('disconnected', {detail: 'The login could not be renewed.', cause: problem});
            if (isSame(this.#login, login))
                await this.end(reason);
            return;
        }
        if (!isSame(this.#login, login))
            return; // ended meanwhile, or another one has begun
        this.#login = renewed;
        if (isKept)
            await this.#store.save(renewed);
    }

    #renewOnce(login, timeoutMs) {
        const {refresh_token} = login;
        if (!renewals.has(refresh_token)) {
            const answer = this.#renew(refresh_token, {timeoutMs}).then((account) => renewedBy(login, account));
            renewals.set(refresh_token, answer);
            answer.catch(() => {}).finally(() => renewals.delete(refresh_token));
        }
        return renewals.get(refresh_token);
    }
}

// By the device's clock, of which only the time that has passed counts. One that was set back says nothing.
function remainingMs({received_at, lifetime_ms}) {
    const passed = Date.now() - received_at;
    return passed < 0 ? 0 : lifetime_ms - passed;
}

function isOver(login) {
    return remainingMs(login) <= 0;
}

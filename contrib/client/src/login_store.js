// SPDX-License-Identifier: BSD-2-Clause
// Keeps a login in a storage like localStorage, and tells the other tabs of a page about it: another tab's new token is
// taken, not renewed again. Tabs that share the login but not the storage, as a duplicated one with its own sessionStorage,
// hear of it too; one that was asleep meanwhile asks.

const ANSWER_MS = 200; // for other tabs to say that they have a newer one, or that it has ended

// What is kept of the answer to a login, a registration or a renewal. How long the token is good for is counted from when it
// came, by its own times: the clock of the device may be wrong. renewals: how often it was renewed here.
export function loginOf({user, token, refresh_token, login_id, expires_at, refresh_expires_at}) {
    const received_at = Date.now();
    return {user_id: user.user_id, login_id: login_id ?? null, token, refresh_token: refresh_token ?? null, expires_at,
        refresh_expires_at: refresh_expires_at ?? null, renewals: 0, received_at, lifetime_ms: lifetimeOf(token) ?? Date.parse(expires_at) - received_at};
}

function claimsOf(token) {
    try {
        return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))) ?? {};
    } catch {
        return {};
    }
}

// By the claims of the token; null where they do not tell.
function lifetimeOf(token) {
    const {iat, exp} = claimsOf(token);
    return exp > iat ? (exp - iat) * 1000 : null;
}

// Whether the token is one of that login, which may have another by now; also where the token does not tell.
export function isOf(login, token) {
    const {sid} = claimsOf(token);
    return sid === undefined || login.login_id === null || sid === login.login_id;
}

// The same login, whatever token it has by now. A token without a login stands for itself.
export function isSame(one, other) {
    return one !== null && other !== null && (one.login_id ?? one.token) === (other.login_id ?? other.token);
}

// As the login is after a renewal that was answered so.
export function renewedBy(login, account) {
    return {...login, ...loginOf(account), renewals: renewalsOf(login) + 1};
}

// By the count of renewals: no clock and no lifetime need go forward. With the same count both have the same refresh token.
export function isNewer(login, than) {
    return renewalsOf(login) > renewalsOf(than);
}

// A login that an earlier version has kept has no count.
function renewalsOf({renewals}) {
    return renewals ?? 0;
}

function parsed(text) {
    try {
        const login = JSON.parse(text);
        return typeof login?.token === 'string' && typeof login.user_id === 'string' ? {login_id: null, ...login} : null;
    } catch {
        return null;
    }
}

export class LoginStore {
    #storage;
    #key;
    #own = null; // the login that is kept, as far as this page knows, until it has ended
    #listeners = new Set();
    #channel = null;
    #onStorage = ({key, newValue, oldValue}) => key === this.#key && this.#storageChanged(parsed(oldValue), parsed(newValue));

    // storage: getItem, setItem and removeItem, which may return promises.
    constructor(storage, key = 'tidings:login') {
        this.#storage = storage;
        this.#key = key;
    }

    // The login, or null.
    async load() {
        const login = await this.#read();
        this.#own = login ?? this.#own;
        return login;
    }

    async save(login) {
        this.#own = login;
        await this.#write(login);
        this.#channel?.postMessage({of: login, login});
    }

    // The login has ended. Another one that is kept by now stays. The others are told at once: this page may go.
    async remove(login, reason) {
        this.#channel?.postMessage({of: login, login: null, reason});
        this.#ended(login);
        if (isSame(await this.#read(), login))
            await this.#storage.removeItem(this.#key);
    }

    // Resolves when another tab that has a newer one has told it to those who subscribed, or none has.
    async ask(login) {
        if (this.#channel === null)
            return;
        let unsubscribe, timer;
        await new Promise((resolve) => {
            timer = setTimeout(resolve, ANSWER_MS);
            unsubscribe = this.subscribe((news) => isSame(news.of, login) && (news.login === null || isNewer(news.login, login)) && resolve());
            this.#channel.postMessage({of: login, login}); // old news: who knows better answers
        });
        clearTimeout(timer);
        unsubscribe();
    }

    // Calls back with {of, login, reason} for what other tabs do: what has become of a login, null where it has ended.
    // Returns the function that ends it.
    subscribe(listener) {
        this.#listeners.add(listener);
        if (this.#listeners.size === 1)
            this.#listen();
        return () => {
            this.#listeners.delete(listener);
            if (this.#listeners.size === 0)
                this.#stop();
        };
    }

    #listen() {
        if (typeof BroadcastChannel === 'function') {
            this.#channel = new BroadcastChannel(this.#key);
            this.#channel.unref?.(); // Node.js would wait for it
            this.#channel.onmessage = ({data}) => this.#heard(data);
        }
        globalThis.addEventListener?.('storage', this.#onStorage);
    }

    #stop() {
        this.#channel?.close();
        this.#channel = null;
        globalThis.removeEventListener?.('storage', this.#onStorage);
    }

    // The storage of this tab may be another one.
    async #heard(news) {
        if (news.login === null)
            this.#ended(news.of);
        const kept = await this.#read();
        if (isSame(kept, news.of)) {
            if (news.login === null)
                await this.#storage.removeItem(this.#key);
            else if (isNewer(news.login, kept))
                await this.#write(news.login);
            else if (isNewer(kept, news.login))
                this.#channel?.postMessage({of: kept, login: kept});
        }
        this.#tell(news);
    }

    #storageChanged(before, now) {
        if (this.#channel !== null) {
            if (now === null && isSame(before, this.#own))
                this.#gone(before);
        } else if (now !== null)
            this.#tell({of: now, login: now});
        else if (before !== null)
            this.#tell({of: before, login: null, reason: 'logged_out'});
    }

    // Another tab has removed the login. If it has ended, that was told. Else that tab meant to remove the login before it:
    // what a process of the browser sees of the storage may be old. Then it is put back.
    async #gone(login) {
        await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
        if (isSame(this.#own, login) && await this.#read() === null)
            await this.#write(login);
    }

    #ended(login) {
        if (isSame(this.#own, login))
            this.#own = null;
    }

    async #read() {
        return parsed(await this.#storage.getItem(this.#key));
    }

    #write(login) {
        return this.#storage.setItem(this.#key, JSON.stringify(login));
    }

    #tell(news) {
        this.#listeners.forEach((listener) => listener(news));
    }
}

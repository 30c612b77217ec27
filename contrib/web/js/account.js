// SPDX-License-Identifier: BSD-2-Clause
// Who is logged in here. Each tab has an account of its own in sessionStorage, so that several people can use one
// browser; "stay logged in" keeps it in localStorage, where new tabs and the next day find it.
import {LoginStore} from '../../client/src/index.js';
import {LentStorage, lasting, passing} from './storage.js';

const KEY = 'tidings-web:account';
const ENTRANCE_KEY = 'tidings-web:entrance';
const ENTRANCES = ['invite', 'join', 'open'];

function read(storage, kept) {
    const login = storage.getJson(KEY);
    return typeof login?.token === 'string' && typeof login.user_id === 'string' ? {login_id: null, ...login, kept} : null;
}

// The account that is kept for all tabs, or null.
export function keptAccount() {
    return read(lasting, true);
}

// A login as the client keeps it, or a token alone {token, user_id} that a link has brought; and kept, whether it is there for
// other tabs, too. Null: nobody.
export function currentAccount() {
    return read(passing, false) ?? keptAccount();
}

// A link's is this tab's alone: the account that is kept for the others stays as it is.
export function rememberAccount({kept, ...login}) {
    if (kept)
        passing.removeItem(KEY);
    homeOf({kept}).setJson(KEY, login);
}

// Where the account is, and what one chose last, which all tabs may write.
export function homeOf({kept}) {
    return kept ? lasting : passing;
}

// Where its client keeps it while it renews it.
export function loginStoreOf(account) {
    return new LoginStore(homeOf(account), KEY);
}

// Ids may contain colons, the names behind them do not: what ann:work has written is not ann's.
function isKeyOf(userId, key) {
    const prefix = `tidings-web:${userId}:`;
    return key.startsWith(prefix) && !key.slice(prefix.length).includes(':');
}

function storagesOf({kept}) {
    return kept ? [lasting, passing] : [passing];
}

// How many messages go unsent with the account, or with all its logins: those that this tab knows of (their client_msg_ids)
// and those that are kept for another one, or for the next.
export function countUnsent(account, known, all = false) {
    const kept = (all ? [lasting, passing] : storagesOf(account)).flatMap((storage) => {
        const drafts = storage.getJson(`tidings-web:${account.user_id}:outbox`);
        return Array.isArray(drafts) ? drafts.map((draft) => draft?.client_msg_id) : [];
    });
    return new Set([...known, ...kept]).size;
}

// Drafts and what was not sent: who logs out leaves nothing behind.
export function forgetWritings(account) {
    for (const storage of storagesOf(account)) {
        for (const key of storage.keys()) {
            if (isKeyOf(account.user_id, key))
                storage.removeItem(key);
        }
    }
}

// A link may bring a token: #token=JWT. It leaves the address at once.
export function takeTokenFromAddress() {
    return takeFromAddress('token');
}

// The same for the way into a group, also beside a token: #invite=CODE, or #join=ID of a group that needs no invite; and for
// a conversation of the user's own, #open=ID, to which a notification leads. It is kept while the user logs in.
export function takeEntranceFromAddress() {
    for (const kind of ENTRANCES) {
        const code = takeFromAddress(kind);
        if (code !== null)
            passing.setJson(ENTRANCE_KEY, {kind, code});
    }
}

// {kind, code} of the one that waits to be opened, once; null where there is none.
export function takeWaitingEntrance() {
    const entrance = passing.getJson(ENTRANCE_KEY);
    passing.removeItem(ENTRANCE_KEY);
    return ENTRANCES.includes(entrance?.kind) && typeof entrance.code === 'string' ? entrance : null;
}

function takeFromAddress(name) {
    if (location.hash.startsWith('#/'))
        return null;
    const given = new URLSearchParams(location.hash.slice(1));
    const value = given.get(name);
    if (value === null)
        return null;
    given.delete(name);
    const rest = given.toString();
    history.replaceState(null, '', location.pathname + location.search + (rest && `#${rest}`));
    return value;
}

// Where unsent messages and drafts wait: with the account. What is in localStorage may have one tab at a time as its
// writer; a second one of the same user keeps to itself. Resolves to {storage, release}; after release() nothing is written.
export function storageOf(account) {
    if (!account.kept || !navigator.locks)
        return Promise.resolve(lend(homeOf(account)));
    return new Promise((resolve) => {
        navigator.locks.request(`tidings-web:${account.user_id}`, {ifAvailable: true}, (lock) => new Promise((unlock) => {
            resolve(lock ? lend(lasting, unlock) : lend(passing));
            if (!lock)
                unlock();
        })).catch(() => resolve(lend(passing))); // not allowed to
    });
}

function lend(from, unlock = () => {}) {
    const storage = new LentStorage(from);
    return {storage, release: () => {
        storage.giveBack();
        unlock();
    }};
}

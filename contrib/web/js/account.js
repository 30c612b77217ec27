// SPDX-License-Identifier: BSD-2-Clause
// Who is logged in here. Each tab has an account of its own in sessionStorage, so that several people can use one
// browser; "stay logged in" keeps it in localStorage, where new tabs and the next day find it.

const KEY = 'tidings-web:account';

function read(storage) {
    try {
        const account = JSON.parse(storage.getItem(KEY));
        return typeof account?.token === 'string' && typeof account.user_id === 'string' ? account : null;
    } catch {
        return null;
    }
}

// {token, user_id, kept}, or null.
export function currentAccount() {
    return read(sessionStorage) ?? read(localStorage);
}

export function rememberAccount({token, user_id, kept}) {
    forgetAccount();
    (kept ? localStorage : sessionStorage).setItem(KEY, JSON.stringify({token, user_id, kept}));
}

export function forgetAccount() {
    if (sessionStorage.getItem(KEY) !== null)
        sessionStorage.removeItem(KEY);
    else
        localStorage.removeItem(KEY);
}

// Drafts and what was not sent: who logs out leaves nothing behind.
export function forgetWritings(storage, userId) {
    for (const key of Object.keys(storage)) {
        if (key.startsWith(`tidings-web:${userId}:`))
            storage.removeItem(key);
    }
}

// Calls back when a kept account is logged out in another tab.
export function onLoggedOutElsewhere(callback) {
    addEventListener('storage', (event) => {
        if (event.storageArea === localStorage && event.key === KEY && event.newValue === null &&
            sessionStorage.getItem(KEY) === null)
            callback();
    });
}

// A link may bring a token: #token=JWT. It leaves the address at once.
export function takeTokenFromAddress() {
    const token = new URLSearchParams(location.hash.slice(1)).get('token');
    if (token !== null)
        history.replaceState(null, '', location.pathname + location.search);
    return token;
}

// Where unsent messages and drafts wait: with the account. What is in localStorage may have one tab at a time as its
// writer; a second one of the same user keeps to itself. Resolves to {storage, release}.
export function storageOf(account) {
    if (!account.kept || !navigator.locks)
        return Promise.resolve({storage: account.kept ? localStorage : sessionStorage, release: () => {}});
    return new Promise((resolve) => {
        navigator.locks.request(`tidings-web:${account.user_id}`, {ifAvailable: true}, (lock) => new Promise((release) => {
            resolve({storage: lock ? localStorage : sessionStorage, release});
            if (!lock)
                release();
        }));
    });
}

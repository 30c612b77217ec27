// SPDX-License-Identifier: BSD-2-Clause
// The picture of a user or group in a form: what it is now, another one from this device, or none. It is uploaded when the form
// is sent.
import {chooseFiles} from './attach_dialog.js';
import {el, textButton} from './dom.js';
import {reasonOf, t} from './i18n.js';

const SIDE_PX = 512;

// The middle of it, as a square; null where the browser cannot read it.
async function squareOf(file) {
    let bitmap;
    try {
        bitmap = await createImageBitmap(file);
    } catch {
        return null;
    }
    const side = Math.min(bitmap.width, bitmap.height);
    const canvas = el('canvas', {width: Math.min(side, SIDE_PX), height: Math.min(side, SIDE_PX)});
    const context = canvas.getContext('2d');
    context.imageSmoothingQuality = 'high';
    context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/webp', 0.9)); // PNG where the browser cannot
    return blob && {canvas, file: new File([blob], `picture.${blob.type.split('/')[1]}`, {type: blob.type})};
}

export class PictureField {
    #chat;
    #picture; // of an address or null: a node
    #shown = null; // the address
    #wished; // {canvas, file}, null for none, undefined for what there is
    #uploaded = null; // its address, when it was, and something else failed
    #preview = el('span.picture-preview');
    #fault = el('p.fault', {role: 'alert'});
    #choose = textButton('quiet.small.choose-picture', t('picture.choose'), () => this.#chooseOne());
    #remove = textButton('quiet.small.remove-picture', t('picture.remove'), () => this.#wish(null));
    node;

    // picture(address or null): how it is shown
    constructor(chat, label, picture) {
        this.#chat = chat;
        this.#picture = picture;
        this.node = el('div.picture-field', {role: 'group', 'aria-label': label}, this.#preview,
            el('div.picture-choices', {}, el('span.label', {}, label), el('div.buttons', {}, this.#choose, this.#remove), this.#fault));
        this.show(null);
    }

    // What there is; nothing else is wished any more.
    show(address) {
        this.#shown = address;
        this.#wished = undefined;
        this.#refresh();
    }

    get changed() {
        return this.#wished !== undefined;
    }

    // As the server takes it. Rejects with a Problem.
    async value() {
        if (!this.#wished)
            return this.#wished === null ? null : this.#shown;
        this.#uploaded ??= `tidings:media/${(await this.#chat.upload(this.#wished.file)).id}`;
        return this.#uploaded;
    }

    async #chooseOne() {
        const [file] = await chooseFiles('image/*', false, false);
        if (file === undefined)
            return;
        const square = await squareOf(file);
        this.#fault.textContent = square === null ? reasonOf({code: 'picture_unreadable'}) : '';
        if (square !== null)
            this.#wish(square);
    }

    #wish(wished) {
        this.#wished = wished === null && this.#shown === null ? undefined : wished;
        this.#uploaded = null;
        this.#refresh();
        if (this.#remove.hidden && document.activeElement !== this.#choose)
            this.#choose.focus();
    }

    #refresh() {
        const has = this.#wished !== undefined ? this.#wished !== null : this.#shown !== null;
        this.#preview.replaceChildren(this.#wished ? this.#wished.canvas : this.#picture(this.#wished === null ? null : this.#shown));
        this.#remove.hidden = !has;
    }
}

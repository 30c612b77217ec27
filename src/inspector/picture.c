/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A picture is copied without metadata (strip.h), and that copy, which is what people will get, is decoded to its end.
 * Where that is not to be had without decoding and encoding again (it has to be turned, or browsers do not show such
 * files), the copy is made of the pixels, in sRGB.
 */
#include "core/base.h"
#include "inspector/picture.h"

#include "inspector/blurhash.h"
#include "inspector/strip.h"

#include <stdlib.h>
#include <unistd.h>
#include <vips/vips.h>

#define HASH_SIDE 32
#define THUMB_QUALITY 75
#define COPY_QUALITY 90

struct kind {
	const char *type, *loader;
	bool has_pages, strips;
	bool shrinks; /* decodes a smaller picture faster, and tells all the same where it is cut short */
};

static const struct kind kinds[] = {
	{"image/jpeg", "jpegload_source", false, true, true},	{"image/png", "pngload_source", false, true, false},
	{"image/gif", "gifload_source", true, true, false},	{"image/webp", "webpload_source", true, true, true},
	{"image/avif", "heifload_source", false, false, false}, {"image/heic", "heifload_source", false, false, false},
};

static const struct kind *kind_of(const char *type)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcmp(kinds[i].type, type) == 0)
			return &kinds[i];
	return NULL;
}

bool picture_is(const char *type)
{
	return kind_of(type) != NULL;
}

/* What libraries think of a file is nothing to act upon. */
static void keep_quiet(const gchar *domain, GLogLevelFlags level, const gchar *text, gpointer data)
{
	(void)domain;
	(void)level;
	(void)text;
	(void)data;
}

int picture_start(const char **err_r)
{
	static const char *const loaders[] = {"VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadNsgif",
					      "VipsForeignLoadWebp", "VipsForeignLoadHeif"};
	/* No file for what is large: there is the limit of memory. */
	setenv("VIPS_DISC_THRESHOLD", "4g", 1);
	/* It would make code while it runs, which the sandbox forbids. */
	setenv("VIPS_NOVECTOR", "1", 1);
	g_log_set_default_handler(keep_quiet, NULL);
	if (VIPS_INIT("tidings-media") != 0) {
		*err_r = vips_error_buffer();
		return -1;
	}
	vips_concurrency_set(1);
	vips_cache_set_max(0);
	vips_block_untrusted_set(TRUE);
	vips_operation_block_set("VipsForeignLoad", TRUE);
	for (size_t i = 0; i < ARRAY_LEN(loaders); i++)
		vips_operation_block_set(loaders[i], FALSE);
	/* The classes that children need are made once. */
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		g_type_class_ref(vips_type_find("VipsOperation", kinds[i].loader));
	g_type_class_ref(vips_type_find("VipsOperation", "thumbnail_source"));
	g_type_class_ref(vips_type_find("VipsOperation", "webpsave_target"));
	g_type_class_ref(vips_type_find("VipsOperation", "jpegsave_target"));
	g_type_class_ref(vips_type_find("VipsOperation", "pngsave_target"));
	g_type_class_ref(vips_type_find("VipsOperation", "icc_transform"));
	return 0;
}

static void refuse(struct inspect_result *r, enum inspect_reason reason)
{
	r->status = INSPECT_REFUSED;
	r->reason = reason;
}

/* ---- reading ---- */

static VipsSource *source_of(int fd)
{
	return lseek(fd, 0, SEEK_SET) == 0 ? vips_source_new_from_descriptor(fd) : NULL;
}

/* n: how many of its pictures; -1: all. */
static VipsImage *load(const struct kind *k, int fd, int n)
{
	VipsImage *image = NULL;
	VipsSource *source = source_of(fd);
	if (source == NULL)
		return NULL;
	if (k->has_pages)
		vips_call(k->loader, source, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR,
			  "n", n, NULL);
	else
		vips_call(k->loader, source, &image, "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR,
			  NULL);
	g_object_unref(source);
	return image;
}

/* Reads every pixel once and keeps none. */
static bool decodes(const struct kind *k, int fd)
{
	double mean;
	VipsImage *image = load(k, fd, -1);
	bool good = image != NULL && vips_avg(image, &mean, NULL) == 0;
	if (image != NULL)
		g_object_unref(image);
	return good;
}

/* ---- writing ---- */

static bool is_opaque(const VipsImage *image)
{
	return !vips_image_hasalpha((VipsImage *)image);
}

static bool save(VipsImage *image, int fd, const char *type, int quality)
{
	VipsTarget *target = vips_target_new_to_descriptor(fd);
	int rc = -1;
	if (target == NULL)
		return false;
	if (strcmp(type, "image/webp") == 0)
		rc = vips_webpsave_target(image, target, "Q", quality, "strip", TRUE, NULL);
	else if (strcmp(type, "image/png") == 0)
		rc = vips_pngsave_target(image, target, "strip", TRUE, NULL);
	else
		rc = vips_jpegsave_target(image, target, "Q", quality, "strip", TRUE, NULL);
	g_object_unref(target);
	return rc == 0;
}

/* Its pixels in sRGB, as they are to be seen. NULL: it cannot be decoded. */
static VipsImage *shown(VipsImage *in)
{
	VipsImage *turned = NULL, *same = NULL;
	if (vips_autorot(in, &turned, NULL) != 0)
		return NULL;
	int rc = vips_image_get_typeof(turned, VIPS_META_ICC_NAME) != 0
			 ? vips_icc_transform(turned, &same, "srgb", "embedded", TRUE, NULL)
			 : -1;
	if (rc != 0)
		rc = vips_colourspace(turned, &same, VIPS_INTERPRETATION_sRGB, NULL);
	g_object_unref(turned);
	return rc == 0 ? same : NULL;
}

/* From the pixels; *type_r is what it becomes. */
static bool copy_pixels(const struct subject *s, const struct kind *k, const char **type_r)
{
	bool done = false;
	VipsImage *read = load(k, s->file, 1);
	/* To be turned it is needed as a whole. */
	VipsImage *in = read != NULL && vips_image_get_orientation(read) != 1 ? vips_image_copy_memory(read) : read;
	VipsImage *image = in != NULL ? shown(in) : NULL;
	if (image != NULL) {
		if (k->strips)
			*type_r = strcmp(k->type, "image/gif") == 0 ? "image/png" : k->type;
		else
			*type_r = is_opaque(image) ? "image/jpeg" : "image/webp";
		done = ftruncate(s->clean, 0) == 0 && lseek(s->clean, 0, SEEK_SET) == 0 &&
		       save(image, s->clean, *type_r, COPY_QUALITY);
		g_object_unref(image);
	}
	if (in != NULL && in != read)
		g_object_unref(in);
	if (read != NULL)
		g_object_unref(read);
	return done;
}

/* ---- the thumbnail and the blurhash ---- */

static void put_blurhash(VipsImage *thumb, struct inspect_result *r)
{
	VipsImage *flat = NULL, *small = NULL, *rgb = NULL;
	size_t size;
	unsigned char *pixels = NULL;
	char hash[BLURHASH_BYTES];
	int w = vips_image_get_width(thumb), h = vips_image_get_height(thumb);
	double scale = (double)HASH_SIDE / (w > h ? w : h);
	if (vips_image_hasalpha(thumb) ? vips_flatten(thumb, &flat, NULL) != 0 : vips_copy(thumb, &flat, NULL) != 0)
		return;
	if ((scale < 1 ? vips_resize(flat, &small, scale, "vscale", h * scale < 1 ? 1.0 / h : scale, NULL)
		       : vips_copy(flat, &small, NULL)) == 0 &&
	    vips_colourspace(small, &rgb, VIPS_INTERPRETATION_sRGB, NULL) == 0 && vips_image_get_bands(rgb) == 3)
		pixels = vips_image_write_to_memory(rgb, &size);
	if (pixels != NULL && vips_image_get_format(rgb) == VIPS_FORMAT_UCHAR) {
		blurhash(pixels, (unsigned)vips_image_get_width(rgb), (unsigned)vips_image_get_height(rgb),
			 w >= h ? 4 : 3, w >= h ? 3 : 4, hash);
		_Static_assert(4 + 2 * 4 * 3 <= INSPECT_BLURHASH_MAX, "it fits");
		memcpy(r->blurhash, hash, strlen(hash) + 1);
	}
	g_free(pixels);
	g_object_unref(flat);
	if (small != NULL)
		g_object_unref(small);
	if (rgb != NULL)
		g_object_unref(rgb);
}

/* The picture is small enough to be one. */
static bool put_thumb(VipsImage *image, int fd, struct inspect_result *r)
{
	VipsImage *memory = vips_image_copy_memory(image);
	if (memory == NULL)
		return false;
	put_blurhash(memory, r);
	r->has_thumb = lseek(fd, 0, SEEK_SET) == 0 && save(memory, fd, "image/webp", THUMB_QUALITY);
	g_object_unref(memory);
	return true;
}

static VipsImage *shrink_source(const struct kind *k, int fd)
{
	VipsImage *image = NULL;
	VipsSource *source = source_of(fd);
	if (source == NULL)
		return NULL;
	/* No other loader than the one that fits what was found. */
	const char *loader = vips_foreign_find_load_source(source);
	if (loader != NULL && vips_type_find("VipsOperation", k->loader) == g_type_from_name(loader))
		vips_thumbnail_source(source, &image, LOOK_THUMB_SIDE, "height", LOOK_THUMB_SIDE, "size",
				      VIPS_SIZE_DOWN, "export_profile", "srgb", "fail_on", VIPS_FAIL_ON_ERROR, NULL);
	g_object_unref(source);
	return image;
}

static VipsImage *shrink_image(const struct kind *k, int fd)
{
	VipsImage *small = NULL, *image = load(k, fd, 1);
	if (image == NULL)
		return NULL;
	vips_thumbnail_image(image, &small, LOOK_THUMB_SIDE, "height", LOOK_THUMB_SIDE, "size", VIPS_SIZE_DOWN,
			     "export_profile", "srgb", NULL);
	g_object_unref(image);
	return small;
}

/* Of the first picture. False: it cannot be decoded. */
static bool thumbnail(const struct kind *k, const struct subject *s, int fd, struct inspect_result *r)
{
	VipsImage *image = k->shrinks ? shrink_source(k, fd) : shrink_image(k, fd);
	bool good = image != NULL && put_thumb(image, s->thumb, r);
	if (image != NULL)
		g_object_unref(image);
	return good;
}

/* ---- all of it ---- */

/* Browsers make a canvas as large as a GIF says, libvips one as large as its pictures. */
static uint64_t canvas_of(const struct subject *s, uint64_t pixels)
{
	if (strcmp(s->type, "image/gif") != 0 || s->len < 10)
		return pixels;
	uint64_t canvas = (uint64_t)(s->data[6] | s->data[7] << 8) * (uint64_t)(s->data[8] | s->data[9] << 8);
	return canvas > pixels ? canvas : pixels;
}

/* False: refused. */
static bool measure(const struct subject *s, const struct kind *k, uint64_t frames, bool *turned_r,
		    struct inspect_result *r)
{
	VipsImage *image = load(k, s->file, 1);
	if (image == NULL) {
		refuse(r, INSPECT_DAMAGED);
		return false;
	}
	uint64_t w = (uint64_t)vips_image_get_width(image), h = (uint64_t)vips_image_get_height(image);
	uint64_t pages = k->has_pages ? (uint64_t)vips_image_get_n_pages(image) : 1;
	int orientation = vips_image_get_orientation(image);
	g_object_unref(image);
	if (pages > frames)
		frames = pages;
	/* An animation is not turned: what makes them writes no orientation. */
	if (frames > 1)
		orientation = 1;
	*turned_r = orientation != 1;
	r->width = (uint32_t)(orientation >= 5 ? h : w);
	r->height = (uint32_t)(orientation >= 5 ? w : h);
	uint64_t pixels = canvas_of(s, w * h);
	if (w > INSPECT_SIDE_MAX || h > INSPECT_SIDE_MAX || pixels > LOOK_PIXELS_MAX)
		refuse(r, INSPECT_TOO_MANY_PIXELS);
	else if (frames > LOOK_FRAMES_MAX)
		refuse(r, INSPECT_TOO_MANY_FRAMES);
	else if (pixels * frames > LOOK_PIXELS_MAX)
		refuse(r, INSPECT_TOO_MANY_PIXELS);
	return r->status == INSPECT_OK;
}

void picture_look(const struct subject *s, struct inspect_result *r)
{
	static struct strip_out out;
	const struct kind *k = kind_of(s->type);
	uint64_t frames;
	bool turned;
	out = (struct strip_out){.fd = s->clean};
	bool stripped = lseek(s->clean, 0, SEEK_SET) == 0 && strip(s->type, s->data, s->len, &out, &frames);
	if (!measure(s, k, frames, &turned, r))
		return;
	const char *type = s->type;
	if ((!stripped || turned) && !copy_pixels(s, k, &type)) {
		refuse(r, INSPECT_DAMAGED);
		return;
	}
	const struct kind *now = kind_of(type);
	if (!thumbnail(now, s, s->clean, r) || (frames > 1 && !decodes(now, s->clean))) {
		refuse(r, INSPECT_DAMAGED);
		return;
	}
	r->has_clean = true;
	r->is_checked = true;
	snprintf(r->content_type, sizeof(r->content_type), "%s", type);
}

void picture_poster(const struct subject *s, const unsigned char *rgb, unsigned width, unsigned height, int turn,
		    struct inspect_result *r)
{
	static const VipsAngle angles[] = {VIPS_ANGLE_D0, VIPS_ANGLE_D90, VIPS_ANGLE_D180, VIPS_ANGLE_D270};
	VipsImage *image = vips_image_new_from_memory(rgb, (size_t)width * height * 3, (int)width, (int)height, 3,
						      VIPS_FORMAT_UCHAR);
	VipsImage *turned = NULL, *named = NULL;
	if (image != NULL && vips_rot(image, &turned, angles[turn / 90 % 4], NULL) == 0 &&
	    vips_copy(turned, &named, "interpretation", VIPS_INTERPRETATION_sRGB, NULL) == 0)
		put_thumb(named, s->thumb, r);
	if (named != NULL)
		g_object_unref(named);
	if (turned != NULL)
		g_object_unref(turned);
	if (image != NULL)
		g_object_unref(image);
}

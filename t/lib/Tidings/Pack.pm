# SPDX-License-Identifier: BSD-2-Clause
# Packs of stickers for tidingsctl stickers import: folders with pictures and a pack.json.
package Tidings::Pack;
use strict;
use warnings;
use Compress::Zlib qw(compress crc32);
use Exporter 'import';
use File::Path qw(make_path);
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use Tidings::Util qw(spew);

our @EXPORT_OK = qw(png write_pack %PICTURE);

# The smallest of each kind, of one pixel.
our %PICTURE = (
	gif => decode_base64('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7'),
	jpg => decode_base64('/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA='),
	webp => decode_base64('UklGRiIAAABXRUJQVlA4IBYAAAAwAQCdASoBAAEADsD+JaQAA3AAAAAA'),
);

sub chunk { my ($type, $data) = @_; return pack('N', length $data) . $type . $data . pack('N', crc32($type . $data)) }

# A PNG in one colour, 0xRRGGBB, by default of 4 by 3 pixels; bytes: behind the picture, so that it has that size.
sub png {
	my ($colour, %o) = @_;
	my ($width, $height) = @o{qw(width height)} = ($o{width} // 4, $o{height} // 3);
	my $row = "\0" . substr(pack('N', $colour), 1) x $width;
	my $whole = "\x89PNG\r\n\x1a\n" . chunk(IHDR => pack('NNCCCCC', $width, $height, 8, 2, 0, 0, 0)) . chunk(IDAT => compress($row x $height)) . chunk(IEND => '');
	return $o{bytes} ? $whole . "\0" x ($o{bytes} - length $whole) : $whole;
}

# Writes a pack, and returns its folder. files: {name => bytes}; stickers: [[id, file, emoji], ...]; more: of pack.json.
sub write_pack {
	my ($folder, %o) = @_;
	make_path($folder);
	for my $name (keys %{$o{files}}) {
		make_path("$folder/$1") if $name =~ m{(.*)/};
		spew("$folder/$name", $o{files}{$name});
	}
	my @stickers = map { {id => $_->[0], file => $_->[1], emoji => $_->[2]} } @{$o{stickers}};
	my $pack = {id => $o{id}, title => $o{title} // ucfirst $o{id}, stickers => \@stickers, %{$o{more} // {}}};
	spew("$folder/pack.json", JSON::PP->new->utf8->canonical->encode($pack));
	return $folder;
}

1;

# SPDX-License-Identifier: BSD-2-Clause
# Payloads of permessage-deflate (RFC 7692 section 7.2) by Perl's own zlib, good ones and what no good client would send.
package Tidings::Deflate;
use strict;
use warnings;
use Compress::Raw::Zlib qw(Z_OK Z_STREAM_END Z_BUF_ERROR Z_SYNC_FLUSH Z_FINISH Z_BEST_SPEED MAX_WBITS);
use Exporter 'import';

our @EXPORT_OK = qw(pack_text unpack_text bomb);

# The payload of a message. level: of zlib; window: its bits; last => 1 ends it with a block that is marked as the last.
sub pack_text {
	my ($text, %o) = @_;
	my ($z, $status) = Compress::Raw::Zlib::Deflate->new(-WindowBits => -($o{window} // MAX_WBITS), -Level => $o{level} // 6, -AppendOutput => 1);
	die "deflate: $status\n" if $status != Z_OK;
	my $out = '';
	$z->deflate($text, $out) == Z_OK or die 'deflate: ' . $z->msg . "\n";
	$z->flush($out, $o{last} ? Z_FINISH : Z_SYNC_FLUSH) == Z_OK or die 'flush: ' . $z->msg . "\n";
	return $out . "\0" if $o{last};
	$out =~ s/\0\0\xff\xff\z// or die "deflate did not end with an empty block\n";
	return $out;
}

# What a payload means; dies where it is not whole. window: what this side has room for.
sub unpack_text {
	my ($payload, %o) = @_;
	my ($z, $status) = Compress::Raw::Zlib::Inflate->new(-WindowBits => -($o{window} // MAX_WBITS), -AppendOutput => 1);
	die "inflate: $status\n" if $status != Z_OK;
	my ($in, $out) = ("$payload\0\0\xff\xff", '');
	while (length $in) {
		my $before = length $in;
		$status = $z->inflate($in, $out);
		die "inflate: $status\n" if $status != Z_OK && $status != Z_BUF_ERROR;
		die "inflate takes no more\n" if length $in == $before;
	}
	return $out;
}

# So many blanks, in a thousandth of it.
sub bomb { my ($len) = @_; return pack_text(' ' x $len, level => 9) }

1;

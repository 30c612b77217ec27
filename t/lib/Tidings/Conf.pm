# SPDX-License-Identifier: BSD-2-Clause
# Writes a configuration file from nested Perl data: scalars, array references for lists, hash references for
# sections, {title => {...}} under "key" and "webhook" for titled sections.
package Tidings::Conf;
use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = qw(conf_text conf_merge);

sub value {
	my ($v) = @_;
	return '{' . join(', ', map { value($_) } @$v) . '}' if ref $v;
	return $v if $v =~ /\A\w+\z/;
	$v =~ s/([\\"])/\\$1/g;
	return qq("$v");
}

sub conf_text {
	my ($conf, $indent) = @_;
	$indent //= '';
	my $out = '';
	for my $name (sort { (ref $conf->{$a} eq 'HASH') <=> (ref $conf->{$b} eq 'HASH') || $a cmp $b } keys %$conf) {
		my $v = $conf->{$name};
		next if !defined $v;
		if ($name =~ /\A(?:key|webhook)\z/ && ref $v eq 'HASH') {
			$out .= qq($indent$name "$_" {\n) . conf_text($v->{$_}, "$indent\t") . "$indent}\n" for sort keys %$v;
		} elsif (ref $v eq 'HASH') {
			$out .= "$indent$name {\n" . conf_text($v, "$indent\t") . "$indent}\n";
		} else {
			$out .= "$indent$name = " . value($v) . "\n";
		}
	}
	return $out;
}

# The second one over the first one; undef takes a key away.
sub conf_merge {
	my ($base, $over) = @_;
	my %out = %$base;
	for my $k (keys %{$over // {}}) {
		my $both = ref $over->{$k} eq 'HASH' && ref $out{$k} eq 'HASH';
		$out{$k} = $both ? conf_merge($out{$k}, $over->{$k}) : $over->{$k};
	}
	return \%out;
}

1;
